// The top of the page: the verdict, the problems, the components and what changed.

import { byId, keep, make, show, text } from "./dom.js";
import { age, clock } from "./format.js";
import { titleOf, wordOf } from "./verdict.js";

const CHANGES_LIMIT = 60;
const ICONS = { critical: "bad", warning: "warn", info: "good" };

export function renderVerdict({ status, sentence }, facts, isFresh) {
  document.body.dataset.status = status;
  text(byId("verdict"), sentence);
  text(byId("verdict-facts"), facts);
  const title = `${isFresh ? "" : "(stale) "}${sentence} – Patchbay`;
  if (document.title !== title) document.title = title;
}

export function renderProblems(found, health, now) {
  text(byId("problems-count"), found.length || "");
  show(byId("problems-none"), found.length === 0);
  const components = Object.entries(health?.components ?? {});
  const all = components.length ? `No alert is raised, and all ${components.length} components are well.` : "No alert is raised.";
  text(byId("problems-none"), health ? all : "Nothing is known yet.");
  keep(byId("problems-list"), found, ({ key }) => key, problem, (parts, item) => {
    parts.node.dataset.tone = item.severity === "critical" ? "bad" : "warn";
    text(parts.word, item.severity);
    text(parts.title, item.title);
    text(parts.message, item.message);
    text(parts.remedy, item.remedy);
    show(parts.todo, Boolean(item.remedy));
    text(parts.since, item.since ? `since ${clock(item.since, now)}, for ${age(now - item.since)}` : "");
  });
  const chips = components.map(([name, component]) => ({ name, ...component }));
  keep(byId("components"), chips, ({ name }) => name, ({ name }) => {
    const word = make("span", { className: "unseen" });
    return { node: make("li", {}, make("span", { className: "dot", "aria-hidden": "true" }), wordOf(name), word), word };
  }, ({ node, word }, component) => {
    node.dataset.tone = { healthy: "good", degraded: "warn", unhealthy: "bad" }[component.status] ?? "idle";
    text(word, `: ${component.status ?? "unknown"}`);
    node.title = component.message ?? "";
  });
}

function problem() {
  const parts = {
    word: make("span", { className: "unseen" }), title: make("h3", {}), message: make("p", {}), remedy: make("span", {}),
    since: make("small", { ariaLive: "off" }),
  };
  parts.todo = make("p", { className: "todo" }, make("b", {}, "What to do: "), parts.remedy);
  parts.node = make("li", {}, make("span", { className: "glyph", "aria-hidden": "true" }),
    make("div", {}, make("div", { className: "problem-head" }, parts.title, parts.word, parts.since), parts.message, parts.todo));
  return parts;
}

/** What changed, newest first: what the host told of alerts, and what the page saw itself. */
export class Changes {
  constructor() {
    this.told = [];
    this.seen = [];
    this.before = new Map();
  }

  clear() {
    this.told = [];
    this.before.clear();
  }

  setAlerts(list) {
    this.told = (list ?? []).map((one) => ({
      at: one.at ?? one.since, tone: ICONS[one.severity] ?? "idle", title: titleOf(one.name, one.subject), text: one.message,
    }));
  }

  note(at, tone, title, detail = "") {
    this.seen.unshift({ at, tone, title, text: detail });
    this.seen.length = Math.min(this.seen.length, CHANGES_LIMIT);
  }

  /** Notes what is different in the providers from the last time. The first time nothing is. */
  compare(providers, at) {
    const now = new Map(providers.map((provider) => [provider.id, provider]));
    if (this.before.size) {
      for (const [id, provider] of now) this.compareOne(this.before.get(id), provider, at);
      for (const id of this.before.keys()) if (!now.has(id)) this.note(at, "idle", `${id}: removed`);
    }
    this.before = now;
  }

  compareOne(was, is, at) {
    if (!was) return this.note(at, "good", `${is.id}: added`, is.message);
    if (was.state !== is.state) {
      this.note(at, is.state === "active" ? "good" : is.state === "starting" ? "idle" : "bad", `${is.id}: ${was.state}, now ${is.state}`, is.message);
    }
    if (was.breaker !== is.breaker) {
      const words = { open: "breaker opened", half_open: "breaker tries one call", closed: "breaker closed" };
      this.note(at, is.breaker === "closed" ? "good" : "warn", `${is.id}: ${words[is.breaker]}`, is.breaker === "open" ? is.message : "");
    }
    if (was.generation !== is.generation) {
      this.note(at, "idle", `${is.id}: generation ${is.generation}`, `plugin ${is.plugin?.version ?? ""}, before ${was.plugin?.version ?? ""}`);
    }
    if (was.limit !== is.limit) this.note(at, "idle", `${is.id}: limit ${is.limit}`, `before ${was.limit}`);
    if (is.update_refused && was.update_refused?.reason !== is.update_refused.reason) {
      this.note(at, "warn", `${is.id}: update refused`, is.update_refused.reason);
    }
  }

  get list() {
    return [...this.seen, ...this.told].sort((a, b) => b.at - a.at).slice(0, CHANGES_LIMIT);
  }

  render(now) {
    const list = this.list;
    show(byId("changes-none"), list.length === 0);
    show(byId("changes"), list.length > 0);
    keep(byId("changes"), list, ({ at, title, text: said }) => `${at} ${title} ${said}`, (change) => ({
      node: make("li", {}, make("time", { dateTime: new Date(change.at).toISOString() }, clock(change.at, now)),
        make("span", { className: "dot", "aria-hidden": "true" }), make("div", {}, make("b", {}, change.title), " ", change.text ?? "")),
    }), ({ node }, { tone }) => (node.dataset.tone = tone));
  }

  /** For the charts: when something changed. */
  get marks() {
    return this.list.map(({ at, tone, title }) => ({ key: `${at} ${title}`, at, tone, title }));
  }
}
