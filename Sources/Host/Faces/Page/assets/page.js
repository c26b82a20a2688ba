// The page at the monitor listener: joins the feed with what shows it. Each subject has a file in page/.

import { Access } from "./page/access.js";
import { Failures } from "./page/causes.js";
import { Chart, LINES_LIMIT } from "./page/charts.js";
import { byId, keep, make, text } from "./page/dom.js";
import { Feed } from "./page/feed.js";
import { Figures } from "./page/figures.js";
import { FORMATS, NOTHING, age, milliseconds, rate } from "./page/format.js";
import { Changes, renderProblems, renderVerdict } from "./page/overview.js";
import { Providers } from "./page/providers.js";
import { EndedRequests, LiveRequests, isWrong } from "./page/requests.js";
import { renderConfiguration, renderErrors, renderFigures, renderSessions, renderTotals } from "./page/tables.js";
import { Timeline } from "./page/timeline.js";
import { Trends, quantile } from "./page/trends.js";
import { problems, verdict } from "./page/verdict.js";

const OUTCOME_ORDER = ["complete", "cancelled", "truncated", "refused", "failed"];
/** Samples of the counters, one a second, behind "a minute" and "a second". */
const PACE_LIMIT = 61;

const figures = new Figures();
const changes = new Changes();
const live = new LiveRequests();
const ended = new EndedRequests();
const timeline = new Timeline();
const failures = new Failures();
const access = new Access(() => feed.restart());
const providers = new Providers((id) => access.unquarantine(id));
const trends = new Trends((note) => text(byId("history-note"), note), () => renderCharts());
const feed = new Feed(receive, entered);

let hello = null;
let health = null;
let hasProviders = false;
let sessions = { total: 0, sessions: [] };
let sessionsAt = 0;
let pace = [];
/** Host's clock minus this machine's, in ms. */
let offset = 0;
let isDue = false;

const hostNow = () => Date.now() + offset;

// MARK: What comes in

const RECEIVERS = {
  hello: welcome,
  metrics: (event) => {
    figures.apply(event);
    trends.observe(figures);
    pace = [...pace, { at: event.at, requests: figures.sum("patchbay_requests_total"), tokens: figures.sum("patchbay_tokens_total", { direction: "output" }) }].slice(-PACE_LIMIT);
  },
  health: (report) => {
    health = report;
    changes.setAlerts(report.recent_alerts);
  },
  providers: (list) => {
    changes.compare(list, hostNow());
    providers.set(list, hostNow());
    hasProviders = true;
    offerProviders(list);
  },
  requests: (event) => live.set(event),
  recent: (list) => {
    ended.list = list;
    failures.setEnded(list);
    trends.recent(list);
  },
  sessions: (event) => {
    sessions = event;
    sessionsAt = hostNow();
    failures.setSessions(event.sessions, sessionsAt);
  },
  configuration: (event) => {
    if (byId("configuration").dataset.loadedAt) changes.note(event.loaded_at, "good", "Configuration loaded", event.file ?? "");
    byId("configuration").dataset.loadedAt = event.loaded_at;
    renderConfiguration(event);
  },
  bye: () => changes.note(hostNow(), "warn", "The host has stopped"),
};

function receive(name, data) {
  RECEIVERS[name]?.(data);
  plan();
}

/** Another host process than before has other counters; another version has another page. */
function welcome(event) {
  if (hello && hello.instance !== event.instance) {
    if (hello.version !== event.version) return location.reload();
    reset();
    changes.note(event.started_at, "warn", "The host was started anew");
  }
  const isFirst = hello?.instance !== event.instance;
  hello = event;
  offset = event.now - Date.now();
  trends.offset = offset;
  access.set(event);
  if (isFirst) trends.fetch();
}

function reset() {
  figures.clear();
  trends.clear();
  changes.clear();
  live.clear();
  failures.clear();
  providers.set([], 0);
  hasProviders = false;
  health = null;
  ended.list = [];
  sessions = { total: 0, sessions: [] };
  pace = [];
  delete byId("configuration").dataset.loadedAt;
}

function entered(state) {
  document.body.dataset.feed = state;
  if (state === "denied") access.showLogin(true);
  plan();
}

// MARK: What is shown

/** Once a frame at most, and not at all while nobody looks. */
function plan() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    render();
  });
}

function render() {
  const now = hostNow();
  const found = problems(health, hasProviders ? providers.list : null, failures, now);
  renderVerdict(verdict(feed.state, health, hasProviders ? providers.list : null, found), factsOf(now), feed.state === "live");
  renderProblems(found, health, now);
  changes.render(now);
  providers.render(now, access.mayAct, ended.list);
  renderTotals(figures);
  renderErrors(figures);
  live.render();
  ended.render(now);
  renderSessions(sessions, sessionsAt, now);
  renderFigures(figures);
  fillFigures();
  providers.bars(figures);
  renderTiles();
  renderFeed();
  renderCharts();
}

function factsOf(now) {
  if (!hello) return "Connecting to the host";
  const state = health?.state ? `${health.state}, ` : "";
  return `${state}Patchbay ${hello.version}, up ${age(now - hello.started_at)}, ${location.host}`;
}

/** Every number that is one of /metrics. */
function fillFigures() {
  for (const node of document.querySelectorAll("[data-metric]")) {
    const value = figures.pick(node.dataset.metric);
    text(node, value === null ? NOTHING : FORMATS[node.dataset.format ?? "count"](value));
    const raw = value === null ? "" : String(value);
    if (node.dataset.value !== raw) node.dataset.value = raw;
  }
}

function renderTiles() {
  const [first, last] = [pace[0], pace.at(-1)];
  const passed = first && last ? (last.at - first.at) / 1000 : 0;
  text(byId("tile-requests"), passed >= 1 ? rate(((last.requests - first.requests) / passed) * 60) : NOTHING);
  const near = pace.at(-11) ?? first;
  const short = near && last ? (last.at - near.at) / 1000 : 0;
  text(byId("tile-tokens"), short >= 1 ? rate((last.tokens - near.tokens) / short) : NOTHING);
  const wrong = ended.list.filter(isWrong).length;
  text(byId("tile-wrong"), ended.list.length ? String(wrong) : NOTHING);
  text(byId("tile-wrong-of"), `of the last ${ended.list.length || 50}`);
  byId("tile-wrong").dataset.tone = wrong * 10 > ended.list.length ? "bad" : "";
  text(byId("tile-first"), milliseconds(quantile(ended.list.map((one) => one.first_token_ms), 0.5)));
}

function renderFeed() {
  const silent = feed.lastEventAt === null ? 0 : (Date.now() - feed.lastEventAt) / 1000;
  const ago = `figures are ${age(silent * 1000)} old`;
  const soon = feed.retryAt ? Math.max(0, Math.ceil((feed.retryAt - Date.now()) / 1000)) : 0;
  const says = {
    connecting: hello ? `Reconnecting, ${ago}` : "Connecting", live: "Live", stale: `Stale: ${ago}`,
    waiting: `${feed.detail}; asks again in ${soon} s`, denied: "Log in to read",
  };
  text(byId("feed-text"), { connecting: "Connecting", live: "Live", stale: "Stale", waiting: "Not connected", denied: "Log in to read" }[feed.state]);
  const isOld = hello && feed.state !== "live" && feed.state !== "denied";
  byId("stale").hidden = !isOld && feed.state !== "waiting";
  text(byId("stale"), feed.state === "waiting" && hello ? `${ago}: ${says.waiting}` : says[feed.state]);
}

// MARK: Charts

const charts = trends.charts.map((chart) => ({ ...chart, view: new Chart(byId("charts"), { ...chart, format: FORMATS[chart.format] }) }));

function renderCharts() {
  const to = hostNow();
  const from = trends.beginning(to);
  for (const chart of charts) {
    const all = chart.sources.flatMap((source) => [...source.points(trends.provider, from)].map(([name, points]) => ({
      key: `${source.metric} ${name}`, name, isFaint: source.isFaint, points: [...points].sort((a, b) => a[0] - b[0]),
    })));
    const names = [...new Set(all.map(({ name }) => name))].sort((a, b) => OUTCOME_ORDER.indexOf(a) - OUTCOME_ORDER.indexOf(b));
    const drawn = names.slice(0, LINES_LIMIT);
    const series = drawn.flatMap((name) => all.filter((one) => one.name === name)).map((one) => ({ ...one, tone: toneOf(chart, one.name) }));
    chart.view.set({ from, to, step: trends.step, series, marks: changes.marks, left: names.length - drawn.length });
  }
}

/** Outcomes and directions have colours of their own; a provider has that of its place. */
function toneOf({ id }, name) {
  if (id === "requests") return `outcome-${name}`;
  if (id === "tokens") return name === "input" ? "s1" : "s0";
  if (id === "permits") return name === "waiting" ? "s2" : "s0";
  if (id === "memory" && name === "host") return "host-line";
  const place = providers.list.findIndex((provider) => provider.id === name);
  return `s${(place < 0 ? 0 : place) % LINES_LIMIT}`;
}

function offerProviders(list) {
  const options = [{ id: "", name: "all" }, ...list.map(({ id }) => ({ id, name: id }))];
  keep(byId("chart-provider"), options, ({ id }) => id, ({ id, name }) => ({ node: make("option", { value: id }, name) }), () => {});
}

function chooseCharts() {
  const seconds = Number(document.querySelector("#chart-window input:checked").value);
  trends.choose(seconds, byId("chart-provider").value);
}

// MARK: The start

byId("chart-window").addEventListener("change", chooseCharts);
byId("chart-provider").addEventListener("change", chooseCharts);
byId("recent-filter").addEventListener("change", (event) => {
  ended.onlyWrong = event.target.value === "wrong";
  plan();
});
byId("recent-more").addEventListener("click", () => {
  ended.isWhole = !ended.isWhole;
  plan();
});
byId("figures").addEventListener("toggle", plan);
byId("figures-filter").addEventListener("input", plan);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") feed.retry();
});
setInterval(() => {
  plan();
  timeline.refresh();
}, 1000);
timeline.follow();
feed.run();
