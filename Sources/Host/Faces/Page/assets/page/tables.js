// The tables of sums, sessions and every figure, and the configuration.

import { byId, figure, keep, make, show, text } from "./dom.js";
import { selector } from "./figures.js";
import { NOTHING, age, clock, count, plural } from "./format.js";
import { short } from "./requests.js";

const FIGURE_ROWS_LIMIT = 1500;
const ERRORS_LIMIT = 60;
const OUTCOMES = ["complete", "truncated", "cancelled", "failed", "refused"];
const CLOCKS = [["patchbay_request_duration_seconds", "0.5"], ["patchbay_request_duration_seconds", "0.99"],
  ["patchbay_time_to_first_token_seconds", "0.5"], ["patchbay_time_to_first_token_seconds", "0.99"]];

/** A row for each provider and model that was asked, and one for all. Clocks are of a model: they do not add up. */
export function renderTotals(figures) {
  const rows = [{ key: "all", name: "All", labels: {} }];
  const pairs = new Map();
  for (const { labels } of figures.series("patchbay_requests_total")) {
    const own = { provider: labels.provider, model: labels.model };
    pairs.set(JSON.stringify(own), own);
  }
  for (const [key, labels] of [...pairs].sort()) rows.push({ key, labels, name: `${labels.provider || "none"}, ${labels.model || "none"}` });
  keep(byId("totals").tBodies[0], rows, ({ key }) => key, ({ name, labels }) => {
    const cells = OUTCOMES.map((outcome) => figure(selector("patchbay_requests_total", { ...labels, outcome })));
    for (const [metric, quantile] of CLOCKS) {
      cells.push(labels.provider === undefined ? NOTHING : figure(selector(metric, { ...labels, quantile }), "seconds"));
    }
    for (const direction of ["input", "output"]) cells.push(figure(selector("patchbay_tokens_total", { ...labels, direction })));
    const head = make("th", { scope: "row" }, name);
    return { node: make("tr", {}, head, ...cells.map((cell) => make("td", { className: "number" }, cell))) };
  }, () => {});
}

export function renderErrors(figures) {
  const rows = [];
  for (const { key, labels, value } of figures.series("patchbay_request_errors_total")) {
    if (value > 0 && rows.length < ERRORS_LIMIT) rows.push({ key, labels });
  }
  keep(byId("errors"), rows.length ? rows : [{ key: "" }], ({ key }) => key, ({ key, labels }) => {
    if (!key) return { node: make("li", { className: "none" }, "none") };
    return { node: make("li", {}, `${labels.provider || "before a provider"} `, make("code", {}, labels.code), " ", figure(key)) };
  }, () => {});
}

export function renderSessions({ total, sessions }, receivedAt, now) {
  const passed = Math.max(0, now - receivedAt);
  text(byId("sessions-count"), total > sessions.length ? `${count(sessions.length)} of ${count(total)}` : count(total));
  show(byId("sessions-none"), sessions.length === 0);
  byId("session-rows").closest(".scroll").hidden = sessions.length === 0;
  keep(byId("session-rows"), sessions, ({ id }) => id, ({ id }) => {
    const cells = ["principal", "peer", "flight", "idle", "open", "reads"].map((name) => [name, make("td", {})]);
    const parts = Object.fromEntries(cells);
    for (const name of ["flight", "idle", "open"]) parts[name].className = "number";
    return { ...parts, node: make("tr", {}, make("th", { scope: "row", title: id }, short(id)), ...cells.map(([, cell]) => cell)) };
  }, (parts, session) => {
    text(parts.principal, session.principal ?? "open");
    text(parts.peer, session.peer);
    text(parts.flight, count(session.in_flight));
    text(parts.idle, age(session.idle_ms + passed));
    text(parts.open, age(now - session.since));
    text(parts.reads, session.is_congested ? "slowly" : "well");
    parts.reads.className = session.is_congested ? "warn-text" : "";
  });
}

export function renderConfiguration({ file, loaded_at: loadedAt, text: said }) {
  text(byId("configuration-text"), said);
  text(byId("configuration-where"), `${file ?? "no file: what was detected"}, loaded ${clock(loadedAt)}`);
}

/** Every figure, while that part of the page is open. */
export function renderFigures(figures) {
  text(byId("figures-count"), `${plural(figures.size, "series", "series")},`);
  if (!byId("figures").open) return;
  const wanted = byId("figures-filter").value.trim().toLowerCase();
  const rows = [];
  for (const entry of figures.all()) {
    if (rows.length >= FIGURE_ROWS_LIMIT) break;
    if (entry.key.toLowerCase().includes(wanted)) rows.push(entry);
  }
  rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  keep(byId("figure-rows"), rows, ({ key }) => key,
    ({ key }) => ({ node: make("tr", {}, make("th", { scope: "row" }, make("code", {}, key)), make("td", { className: "number" }, figure(key, formatOf(key)))) }),
    () => {});
}

function formatOf(key) {
  const name = key.split("{", 1)[0];
  if (name.endsWith("_bytes")) return "bytes";
  return name.endsWith("_seconds") && !name.startsWith("process_start") ? "seconds" : "count";
}
