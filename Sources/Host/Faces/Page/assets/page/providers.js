// The providers, one card each, the troubled first.

import { byId, figure, keep, make, show, text } from "./dom.js";
import { selector } from "./figures.js";
import { NOTHING, age, milliseconds, seconds } from "./format.js";
import { isWrong } from "./requests.js";
import { quantile } from "./trends.js";
import { wordOf } from "./verdict.js";

const MODELS_SHOWN = 4;
const RANK = { quarantined: 0, failed: 0, starting: 2, active: 4, removed: 5 };

/** How a state is coloured and marked: `good`, `warn`, `bad` or `idle`. */
export function toneOf({ state, breaker, update_refused: refused }) {
  if (state === "failed" || state === "quarantined") return "bad";
  if (state !== "active") return "idle";
  if (breaker === "open") return "bad";
  return breaker === "half_open" || refused ? "warn" : "good";
}

const rankOf = (provider) => {
  if (provider.state === "active" && provider.breaker === "open") return 1;
  if (provider.state === "active" && toneOf(provider) === "warn") return 3;
  return RANK[provider.state] ?? 4;
};

export class Providers {
  /** `onUnquarantine(id)` is asked for when the button is pressed. */
  constructor(onUnquarantine) {
    this.onUnquarantine = onUnquarantine;
    this.list = [];
    this.receivedAt = 0;
  }

  set(list, now) {
    this.list = list;
    this.receivedAt = now;
  }

  /** `now` is the host's time, in ms. */
  render(now, mayAct, ended) {
    const ordered = this.list.map((provider, index) => ({ ...provider, index }))
      .sort((a, b) => rankOf(a) - rankOf(b) || a.index - b.index);
    const active = this.list.filter((provider) => provider.state === "active").length;
    text(byId("providers-count"), this.list.length ? `${active} of ${this.list.length} active` : "");
    show(byId("providers-none"), this.list.length === 0);
    keep(byId("provider-cards"), ordered, ({ id }) => id, (provider) => this.card(provider),
      (parts, provider) => {
        this.update(parts, provider, now, mayAct);
        this.lately(parts, ended.filter((one) => one.provider === provider.id), now);
      });
  }

  card(provider) {
    const of = (name) => selector(name, { provider: provider.id });
    const parts = {
      badge: make("span", { className: "badge" }), since: make("small", {}), message: make("p", { className: "message" }),
      breaker: make("dd", {}), lately: make("dd", {}), lastError: make("p", { className: "last-error" }), plugin: make("dd", {}), models: make("ul", { className: "chips models" }),
      refused: make("div", { className: "box warn" }), waiting: figure(of("patchbay_permits_queued")),
      inFlight: figure(of("patchbay_permits_in_flight")), limit: figure(of("patchbay_permits_limit")),
      bar: make("span", { className: "bar-fill" }), queueBar: make("span", { className: "bar-queue" }),
      adapted: make("small", {}), act: make("button", { type: "button", className: "quiet" }, "Let it run again…"),
      worker: make("div", {}, make("dt", {}, "Worker"), make("dd", {}, figure(of("patchbay_worker_resident_bytes"), "bytes"),
        ", ", figure(of("patchbay_worker_restarts_total")), " restarts")),
      overdue: make("p", { className: "message bad-text" }, figure(of("patchbay_permits_overdue")), " permits are past their deadline"),
    };
    parts.act.addEventListener("click", () => this.onUnquarantine(provider.id));
    parts.track = make("div", { className: "bar-track" }, parts.bar, parts.queueBar);
    parts.permits = make("div", { className: "permits" },
      make("p", {}, parts.inFlight, " of ", parts.limit, " in flight, ", parts.waiting, " waiting ", parts.adapted), parts.track);
    parts.node = make("li", { className: "card", id: `provider-${provider.id}` },
      make("div", { className: "card-head" }, make("h3", {}, provider.name || provider.id, " ", make("code", {}, provider.id)), parts.badge),
      parts.message, parts.overdue,
      parts.permits,
      make("dl", { className: "facts" },
        make("div", {}, make("dt", {}, "Breaker"), parts.breaker),
        make("div", {}, make("dt", {}, "Lately"), parts.lately),
        make("div", {}, make("dt", {}, "Tried"), make("dd", {}, figure(of("patchbay_upstream_attempts_total")), " times")),
        make("div", {}, make("dt", {}, "Plugin"), parts.plugin), parts.worker),
      parts.lastError, parts.models, parts.refused, parts.act, parts.since);
    return parts;
  }

  update(parts, provider, now, mayAct) {
    const tone = toneOf(provider);
    parts.node.dataset.tone = tone;
    parts.badge.className = `badge ${tone}`;
    text(parts.badge, badgeText(provider));
    text(parts.message, provider.state === "active" && provider.breaker === "closed" ? "" : provider.message);
    text(parts.since, provider.since ? `${wordOf(provider.state)} for ${age(now - provider.since)}` : "");
    text(parts.breaker, this.breakerText(provider, now));
    parts.breaker.className = provider.breaker === "open" ? "bad-text" : provider.breaker === "half_open" ? "warn-text" : "";
    const { plugin, generation, isolation } = provider;
    text(parts.plugin, plugin ? `${plugin.id} ${plugin.version}, generation ${generation}, ${isolation}` : "none");
    show(parts.permits, provider.limit > 0);
    text(parts.adapted, provider.configured_limit > provider.limit ? `(configured ${provider.configured_limit}, lowered for now)` : "");
    const hasWorker = provider.isolation === "worker";
    show(parts.worker, hasWorker);
    show(parts.act, mayAct && provider.state === "quarantined");
    this.models(parts.models, provider.models ?? [], provider.models_total ?? provider.models?.length ?? 0);
    this.refusal(parts, provider.update_refused);
  }

  /** Of the last requests that ended, those of this provider. */
  lately(parts, ended, now) {
    const well = ended.filter((one) => !isWrong(one)).length;
    const first = quantile(ended.map((one) => one.first_token_ms), 0.5);
    text(parts.lately, ended.length ? `${well} of ${ended.length} went well, first token ${milliseconds(first)}` : NOTHING);
    // A refusal says that the breaker is open or the queue full; what failed before says why.
    const wrong = ended.find((one) => isWrong(one) && one.outcome !== "refused") ?? ended.find(isWrong);
    show(parts.lastError, Boolean(wrong));
    if (!wrong) return;
    const ago = age(now - wrong.started_at - wrong.duration_ms);
    text(parts.lastError, `Last error, ${ago} ago: ${wrong.code ?? wrong.outcome}, ${wrong.message ?? ""}`);
  }

  breakerText({ breaker, retry_seconds: retry }, now) {
    if (breaker === "open") {
      const left = retry === null || retry === undefined ? null : Math.max(0, retry - (now - this.receivedAt) / 1000);
      return left === null ? "open" : left < 0.5 ? "open, tries now" : `open, tries in ${seconds(Math.ceil(left))}`;
    }
    return breaker === "half_open" ? "half open: one call finds out" : "closed";
  }

  models(list, models, total) {
    const shown = models.slice(0, MODELS_SHOWN);
    if (total > MODELS_SHOWN) shown.push(`and ${total - MODELS_SHOWN} more`);
    keep(list, shown, (model) => model, (model) => ({ node: make("li", {}, model) }), () => {});
    list.title = models.length > MODELS_SHOWN ? models.join("\n") : "";
    if (!models.length) keep(list, ["no models"], (word) => word, (word) => ({ node: make("li", { className: "none" }, word) }), () => {});
  }

  refusal(parts, refused) {
    show(parts.refused, Boolean(refused));
    if (!refused) return;
    const lines = [`Update refused: ${refused.path}`, refused.reason, refused.remedy].filter(Boolean);
    keep(parts.refused, lines, (line) => line, (line) => ({ node: make("p", {}, line) }), () => {});
  }

  /** After the figures: how long the bars are. */
  bars(figures) {
    for (const { id, limit } of this.list) {
      const node = byId(`provider-${id}`);
      if (!node) continue;
      const most = figures.sum("patchbay_permits_limit", { provider: id }) ?? limit ?? 0;
      const used = figures.sum("patchbay_permits_in_flight", { provider: id }) ?? 0;
      const queued = figures.sum("patchbay_permits_queued", { provider: id }) ?? 0;
      const whole = Math.max(1, most + queued);
      node.querySelector(".bar-fill").style.width = `${(100 * used) / whole}%`;
      node.querySelector(".bar-queue").style.width = `${(100 * queued) / whole}%`;
      node.querySelector(".bar-track").dataset.full = used >= most && most > 0 ? "full" : used > 0.9 * most ? "high" : "";
      node.querySelector(".bad-text.message").hidden = !figures.sum("patchbay_permits_overdue", { provider: id });
    }
  }
}

function badgeText({ state, breaker, update_refused: refused }) {
  if (state !== "active") return state;
  if (breaker === "open") return "breaker open";
  if (breaker === "half_open") return "trying again";
  return refused ? "active, update refused" : "active";
}

