// swift-format-ignore-file
// Written by Sources/Host/Faces/Page/embed.py (`make page`); change what it reads, the files of assets/.

/// The files of the page, by the path they are served at.
enum PageAssets {
  struct Asset: Sendable {
    var type: String
    /// What an ETag header says: a digest of the text.
    var tag: String
    var text: String
  }

  static let all: [String: Asset] = [
"/icon.svg": Asset(type: "image/svg+xml", tag: #""ebca4807242a6435ea39cfcce52c1073""#, text: ##"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#1b2a41"/>
<g fill="none" stroke-linecap="round" stroke-width="2.6">
<path d="M9 10 C9 20 23 12 23 22" stroke="#4cc2a6"/>
<path d="M23 10 C23 15 19 15.500 16.500 16" stroke="#f0b54a"/>
</g>
<g fill="#1b2a41" stroke="#e8eef7" stroke-width="2"><circle cx="9" cy="9" r="3"/><circle cx="23" cy="9" r="3"/><circle cx="9" cy="23" r="3"/><circle cx="23" cy="23" r="3"/></g>
</svg>

"""##),
"/": Asset(type: "text/html; charset=utf-8", tag: #""d9e5450ef68546e526e6974207173d0c""#, text: ##"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Patchbay</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body data-feed="connecting" data-status="unknown">
<a class="skip" href="#problems">Skip to the problems</a>

<header class="bar">
  <div class="bar-inner">
    <a class="brand" href="#top"><img src="/icon.svg" alt="" width="24" height="24">Patchbay</a>
    <nav aria-label="Sections">
      <a href="#problems">Problems</a>
      <a href="#providers">Providers</a>
      <a href="#traffic">Traffic</a>
      <a href="#requests">Requests</a>
      <a href="#sessions">Sessions</a>
      <a href="#host">Host</a>
    </nav>
    <p class="feed" id="feed"><span class="pulse" aria-hidden="true"></span><span id="feed-text" role="status">Connecting</span></p>
    <p class="who" id="who" hidden><span id="who-name"></span><button type="button" class="quiet" id="logout">Log out</button></p>
  </div>
</header>

<main id="top">
  <noscript><p class="notice">This page needs JavaScript. Without it, ask <a href="/health">/health</a> or run <code>patchbay status</code>.</p></noscript>

  <section class="login" id="login" hidden aria-labelledby="login-title">
    <h1 id="login-title">Log in</h1>
    <p>This host has principals. Give the token of one with the role <em>viewer</em> or <em>admin</em>.</p>
    <form id="login-form">
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required maxlength="4096" spellcheck="false" aria-describedby="login-error">
      <button type="submit">Log in</button>
      <p class="error" id="login-error" role="alert"></p>
    </form>
  </section>

  <div id="content">
    <section class="verdict" aria-label="Status">
      <div class="verdict-main">
        <span class="glyph" id="verdict-glyph" aria-hidden="true"></span>
        <div>
          <h1 id="verdict" role="status">Waiting for the first figures</h1>
          <p class="facts"><span id="verdict-facts">Connecting to the host</span></p>
        </div>
      </div>
      <dl class="tiles">
        <div><dt>In flight</dt><dd><output data-metric="patchbay_host_permits_in_flight">–</output> <small>of <output data-metric="patchbay_host_permits_limit">–</output></small></dd></div>
        <div><dt>Waiting</dt><dd><output data-metric="patchbay_host_permits_queued">–</output> <small>calls</small></dd></div>
        <div><dt>Requests</dt><dd><output id="tile-requests">–</output> <small>a minute</small></dd></div>
        <div><dt>Went wrong</dt><dd><output id="tile-wrong">–</output> <small id="tile-wrong-of">of the last 50</small></dd></div>
        <div><dt>First token</dt><dd><output id="tile-first">–</output> <small>median</small></dd></div>
        <div><dt>Tokens out</dt><dd><output id="tile-tokens">–</output> <small>a second</small></dd></div>
      </dl>
    </section>

    <section id="problems" tabindex="-1" aria-labelledby="problems-title">
      <div class="columns">
        <div>
          <h2 id="problems-title">Problems <span class="count" id="problems-count"></span></h2>
          <ul class="problems" id="problems-list" aria-live="polite" aria-relevant="additions text"></ul>
          <p class="calm" id="problems-none">Nothing is known yet.</p>
          <ul class="components" id="components" aria-label="Components"></ul>
        </div>
        <div>
          <h2>What changed</h2>
          <ol class="changes" id="changes" tabindex="0" aria-label="What changed, newest first"></ol>
          <p class="calm" id="changes-none">Nothing since this page was opened.</p>
        </div>
      </div>
    </section>

    <section id="providers" tabindex="-1" aria-labelledby="providers-title">
      <h2 id="providers-title">Providers <span class="count" id="providers-count"></span></h2>
      <ul class="cards" id="provider-cards"></ul>
      <p class="calm" id="providers-none">No provider is configured or detected.</p>
    </section>

    <section id="traffic" tabindex="-1" aria-labelledby="traffic-title">
      <div class="heading">
        <h2 id="traffic-title">Traffic</h2>
        <div class="tools">
          <label>Provider <select id="chart-provider"><option value="">all</option></select></label>
          <fieldset class="segments" id="chart-window"><legend class="unseen">Time shown</legend>
            <label><input type="radio" name="window" value="900"><span>15 min</span></label>
            <label><input type="radio" name="window" value="3600" checked><span>1 h</span></label>
            <label><input type="radio" name="window" value="21600"><span>6 h</span></label>
            <label><input type="radio" name="window" value="86400"><span>1 d</span></label>
            <label><input type="radio" name="window" value="604800"><span>7 d</span></label>
          </fieldset>
        </div>
      </div>
      <p class="note" id="history-note" role="status"></p>
      <div class="charts" id="charts"></div>
      <h3 id="totals-title">Since the host started</h3>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="totals-title">
        <table class="totals" id="totals">
          <thead><tr><th scope="col">Provider</th><th scope="col" class="number">Complete</th><th scope="col" class="number">Truncated</th><th scope="col" class="number">Cancelled</th><th scope="col" class="number">Failed</th><th scope="col" class="number">Refused</th><th scope="col" class="number">Duration p50</th><th scope="col" class="number">p99</th><th scope="col" class="number">First token p50</th><th scope="col" class="number">p99</th><th scope="col" class="number">Tokens in</th><th scope="col" class="number">Tokens out</th></tr></thead>
          <tbody></tbody>
        </table>
      </div>
      <h3 id="errors-title">Errors by code</h3>
      <ul class="chips" id="errors" aria-labelledby="errors-title"></ul>
    </section>

    <section id="requests" tabindex="-1" aria-labelledby="requests-title">
      <h2 id="requests-title">Requests</h2>
      <h3 id="live-title">Live <span class="count" id="live-count"></span></h3>
      <p class="key" aria-hidden="true"><span><i class="k queued"></i>queued</span> <span><i class="k waiting"></i>waiting for the first token</span> <span><i class="k answering"></i>answering</span> <span><i class="k gap"></i>no chunk comes</span> <span><i class="k paused"></i>the client reads slowly</span></p>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="live-title">
        <table class="requests live">
          <thead><tr><th scope="col">Request</th><th scope="col">Provider, model</th><th scope="col">Phase</th><th scope="col" class="wide">Course</th><th scope="col" class="number">Age</th><th scope="col" class="number less">Chunks</th><th scope="col" class="number less">Longest gap</th><th scope="col" class="less">Session</th></tr></thead>
          <tbody id="live"></tbody>
        </table>
      </div>
      <p class="calm" id="live-none">No request is running.</p>

      <div class="heading">
        <h3 id="recent-title">Ended <span class="count" id="recent-count"></span></h3>
        <div class="tools">
          <fieldset class="segments" id="recent-filter"><legend class="unseen">Which ended requests</legend>
            <label><input type="radio" name="ended" value="all" checked><span>All</span></label>
            <label><input type="radio" name="ended" value="wrong"><span>Went wrong</span></label>
          </fieldset>
        </div>
      </div>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="recent-title">
        <table class="requests ended">
          <thead><tr><th scope="col">Request</th><th scope="col">Provider, model</th><th scope="col">Outcome</th><th scope="col" class="wide">Why</th><th scope="col" class="number">Ended</th><th scope="col" class="number">Duration</th><th scope="col" class="number less">First token</th><th scope="col" class="number less">Longest gap</th><th scope="col" class="number less">Tries</th></tr></thead>
          <tbody id="recent"></tbody>
        </table>
      </div>
      <p><button type="button" class="quiet" id="recent-more" hidden></button></p>
      <p class="calm" id="recent-none">No request has ended since the host started.</p>
    </section>

    <section id="sessions" tabindex="-1" aria-labelledby="sessions-title">
      <h2 id="sessions-title">Sessions <span class="count" id="sessions-count"></span></h2>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="sessions-title">
        <table class="sessions">
          <thead><tr><th scope="col">Session</th><th scope="col">Principal</th><th scope="col">Peer</th><th scope="col" class="number">In flight</th><th scope="col" class="number">Idle</th><th scope="col" class="number">Open for</th><th scope="col">Reads</th></tr></thead>
          <tbody id="session-rows"></tbody>
        </table>
      </div>
      <p class="calm" id="sessions-none">No client has a session.</p>
    </section>

    <section id="host" tabindex="-1" aria-labelledby="host-title">
      <h2 id="host-title">Host</h2>
      <dl class="tiles small">
        <div><dt>Memory</dt><dd><output data-metric="process_resident_memory_bytes" data-format="bytes">–</output></dd></div>
        <div><dt>Descriptors</dt><dd><output data-metric="process_open_fds">–</output> <small>of <output data-metric="process_max_fds">–</output></small></dd></div>
        <div><dt>Threads</dt><dd><output data-metric="process_threads">–</output></dd></div>
        <div><dt>Connections</dt><dd><output data-metric="patchbay_connections">–</output> <small>of <output data-metric="patchbay_connections_limit">–</output></small></dd></div>
        <div><dt>Held for clients</dt><dd><output data-metric="patchbay_buffered_bytes" data-format="bytes">–</output></dd></div>
        <div><dt>Overdue permits</dt><dd><output data-metric="patchbay_host_permits_overdue">–</output></dd></div>
      </dl>
      <div class="operate" id="operate" hidden>
        <h3>Operate</h3>
        <p class="buttons"><button type="button" id="reload">Reload the configuration…</button> <button type="button" class="danger" id="drain">Drain and stop the host…</button></p>
      </div>
      <details id="configuration">
        <summary>Configuration in force <small id="configuration-where"></small></summary>
        <pre id="configuration-text" tabindex="0" aria-label="Configuration in force"></pre>
      </details>
      <details id="figures">
        <summary>Every figure <small><span id="figures-count"></span> as /metrics has them</small></summary>
        <p><label>Only names with <input id="figures-filter" type="search" spellcheck="false" autocomplete="off"></label></p>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Every figure">
          <table class="figures"><tbody id="figure-rows"></tbody></table>
        </div>
      </details>
    </section>
  </div>
</main>

<p class="stale" id="stale" hidden></p>

<dialog id="request-dialog" aria-labelledby="request-title">
  <div class="dialog-head"><h2 id="request-title">Request</h2><button type="button" class="quiet" id="request-close">Close</button></div>
  <div id="request-body"></div>
</dialog>

<dialog id="ask-dialog" aria-labelledby="ask-title" aria-describedby="ask-text">
  <form method="dialog">
    <h2 id="ask-title"></h2>
    <p id="ask-text"></p>
    <ul id="ask-lines" role="status"></ul>
    <p class="buttons"><button type="button" class="quiet" id="ask-no">Cancel</button> <button type="button" id="ask-yes"></button></p>
  </form>
</dialog>
</body>
</html>

"""##),
"/page/access.js": Asset(type: "text/javascript; charset=utf-8", tag: #""3a58f492f70d5c63a43475cd20e7a0ec""#, text: ##"""
// Who may read and act: the login, the logout, and the actions of an admin, each after a question.

import { byId, keep, make, show, text } from "./dom.js";
import { refusal } from "./feed.js";

const post = (path, body, headers = {}) => fetch(path, {
  method: "POST", cache: "no-store", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body),
});

export class Access {
  /** `onChange` is called after a login or a logout. */
  constructor(onChange) {
    this.onChange = onChange;
    this.hello = null;
    byId("login-form").addEventListener("submit", (event) => this.login(event));
    byId("logout").addEventListener("click", () => this.logout());
    byId("reload").addEventListener("click", () => this.act("reload", {}, {
      title: "Reload the configuration?", yes: "Reload",
      says: "The host reads its configuration file again. What is wrong with it is shown here, and then nothing changes.",
    }));
    byId("drain").addEventListener("click", () => this.act("drain", {}, {
      title: "Drain and stop the host?", yes: "Drain and stop", isDanger: true,
      says: "New calls are refused, running calls may finish, and then the host ends. Whoever supervises it may start it again.",
    }));
    byId("ask-no").addEventListener("click", () => byId("ask-dialog").close());
    byId("ask-yes").addEventListener("click", () => this.perform());
  }

  /** Without a token against forgery there is nothing to act with. */
  get mayAct() {
    return Boolean(this.hello?.csrf) && this.hello.role !== "viewer";
  }

  set(hello) {
    this.hello = hello;
    this.showLogin(false);
    show(byId("operate"), this.mayAct);
    show(byId("who"), Boolean(hello.principal));
    text(byId("who-name"), `${hello.principal} (${hello.role})`);
  }

  showLogin(isNeeded) {
    const isNew = isNeeded && byId("login").hidden;
    show(byId("login"), isNeeded);
    show(byId("content"), !isNeeded);
    document.querySelector(".bar nav").hidden = isNeeded;
    if (isNeeded) show(byId("who"), false);
    if (isNew) byId("token").focus();
  }

  async login(event) {
    event.preventDefault();
    const field = byId("token");
    text(byId("login-error"), "");
    try {
      const answer = await post("/login", { token: field.value });
      if (!answer.ok) throw new Error(await refusal(answer));
      field.value = "";
      this.onChange();
    } catch (error) {
      text(byId("login-error"), `Not logged in: ${error.message}`);
      field.select();
    }
  }

  async logout() {
    await post("/logout", {}).catch(() => {});
    this.onChange();
  }

  unquarantine(provider) {
    this.act("unquarantine", { provider }, {
      title: `Let ${provider} run again?`, yes: "Let it run",
      says: "Its worker crashed too often and was set aside. It is started again, and set aside again if it goes on crashing.",
    });
  }

  act(action, body, { title, says, yes, isDanger = false }) {
    this.asked = { action, body };
    text(byId("ask-title"), title);
    text(byId("ask-text"), says);
    this.say([]);
    text(byId("ask-yes"), yes);
    text(byId("ask-no"), "Cancel");
    byId("ask-yes").className = isDanger ? "danger" : "";
    byId("ask-yes").disabled = false;
    show(byId("ask-yes"), true);
    byId("ask-dialog").showModal();
    byId("ask-no").focus();
  }

  async perform() {
    const { action, body } = this.asked;
    byId("ask-yes").disabled = true;
    this.say(["Asking the host…"]);
    try {
      const answer = await post(`/actions/${action}`, body, { "X-Patchbay-Token": this.hello.csrf });
      if (!answer.ok) throw new Error(await refusal(answer));
      const { done, lines } = await answer.json();
      this.say([done ? "Done." : "Not done.", ...lines]);
    } catch (error) {
      this.say([`Not done: ${error.message}`]);
    }
    show(byId("ask-yes"), false);
    text(byId("ask-no"), "Close");
    byId("ask-no").focus();
  }

  say(lines) {
    const numbered = lines.map((line, index) => ({ line, key: `${index} ${line}` }));
    keep(byId("ask-lines"), numbered, ({ key }) => key, ({ line }) => ({ node: make("li", {}, line) }), () => {});
  }
}

"""##),
"/page/causes.js": Asset(type: "text/javascript; charset=utf-8", tag: #""f96fc5a8a64519f99b543eb0a5905eee""#, text: ##"""
// Decides what the ended calls and the sessions say is wrong, and what to do. No node is touched.

import { isWrong } from "./requests.js";

/** Older failures are past. */
const WINDOW_MS = 600000;
/** So many calls of a provider, and half of all its calls, must have gone wrong before it is a problem. */
const WRONG_LEAST = 3;
/** A client that reads slowly for a moment is none. */
const SLOW_LEAST_MS = 2000;

/** A refusal is no cause: its limit, its breaker or its quarantine has an alert of its own. */
const isFailure = (one) => isWrong(one) && one.outcome !== "refused" && !one.message?.endsWith("its plugin is in quarantine");
const endOf = (one) => one.started_at + one.duration_ms;

/** What the failures of a provider have in common with their remedy; the first that fits counts. */
const REMEDIES = [
  [({ outcome }) => outcome === "truncated",
    "the upstream, or a proxy before it, ends answers early: see its status page and its longest answer; clients have the part that came"],
  [({ message }) => /\(HTTP (401|403)\)/.test(message),
    "its key is refused: correct api_key, or the variable or file that it names, and reload the configuration"],
  [({ message }) => /\(HTTP 402\)|quota|balance|billing|daily|limit/i.test(message),
    "its limit, plan or bill is used up: look at its account, or let another model answer (fallback)"],
  [({ code, message }) => code === "TIMEOUT" && /connection/.test(message),
    "it is not reached: see base_url, the network and its status page"],
  [({ code }) => code === "TIMEOUT",
    "it is slow or hangs: see its status page; if it needs more time, raise timeouts.first_token_seconds or progress_seconds"],
  [() => true, "look at its status page; its own words stand behind its name"],
];

/** What one failed call says, as a sentence. */
export const saidBy = ({ outcome, code, message }) =>
  `${outcome === "truncated" ? "truncated, " : ""}${code ?? outcome}: ${message ?? "no reason was given"}`;

export const remedyOf = (failure) => REMEDIES.find(([fits]) => fits({ ...failure, message: failure.message ?? "" }))[1];

/** The failures that the page has seen, so that a flood of refusals does not wash away what led to them. */
export class Failures {
  constructor() {
    this.clear();
  }

  clear() {
    /** By provider, the last. */
    this.last = new Map();
    /** Sessions that read slowly, by id: since when. */
    this.slow = new Map();
    this.ended = [];
    this.sessions = [];
  }

  setEnded(list) {
    this.ended = list;
    for (const one of list) {
      const known = this.last.get(one.provider);
      if (isFailure(one) && !(known && endOf(known) >= endOf(one))) this.last.set(one.provider, one);
    }
  }

  setSessions(sessions, now) {
    this.sessions = sessions;
    this.slow = new Map(sessions.filter((one) => one.is_congested).map(({ id }) => [id, this.slow.get(id) ?? now]));
  }

  /** The last failure of a provider; null: none is known. */
  of(provider) {
    return this.last.get(provider) ?? null;
  }

  problems(now) {
    return [...this.callProblems(now), ...this.clientProblems(now)];
  }

  callProblems(now) {
    const found = [];
    for (const provider of new Set(this.ended.map((one) => one.provider))) {
      const own = this.ended.filter((one) => one.provider === provider && one.outcome !== "refused" && now - endOf(one) < WINDOW_MS);
      const wrong = own.filter(isFailure);
      if (wrong.length < WRONG_LEAST || wrong.length * 2 < own.length) continue;
      found.push({
        key: `calls ${provider}`, severity: "warning", title: `${provider}: calls go wrong`, provider, subject: provider,
        message: `${wrong.length} of its last ${own.length} calls went wrong; the last: ${saidBy(wrong[0])}`,
        since: Math.min(...wrong.map(endOf)), remedy: remedyOf(wrong[0]), isCause: true,
      });
    }
    return found;
  }

  clientProblems(now) {
    return this.sessions.filter(({ id }) => now - (this.slow.get(id) ?? now) >= SLOW_LEAST_MS).map((session) => ({
      key: `client ${session.id}`, severity: "warning", title: "A client reads slowly", since: this.slow.get(session.id),
      message: `${session.principal ?? "the client"} at ${session.peer}, session ${session.id}, takes less than it is sent: `
        + `its calls wait for it (${session.in_flight} in flight), not for their provider; others are not held up`,
      remedy: "look at that client's program and network; it is dropped when it takes less than 16 KiB in timeouts.client_stall_seconds",
    }));
  }
}

"""##),
"/page/charts.js": Asset(type: "text/javascript; charset=utf-8", tag: #""666252b3275e0a74d336b7f98f34cd0f""#, text: ##"""
// Draws lines and stacked areas over time into SVG. The readout below a chart follows the pointer or the arrow keys.

import { draw, keep, make, setAll, text } from "./dom.js";
import { NOTHING, clock, tick } from "./format.js";

const HEIGHT = 150;
const LEFT = 58;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 20;
/** Beyond this many lines nobody tells them apart. */
export const LINES_LIMIT = 7;

export class Chart {
  /** `format` writes a value, `base` is of the axis' round numbers; `isStacked` puts the series on top of each other. */
  constructor(parent, { title, unit, format, base = 10, isStacked = false }) {
    this.format = format;
    this.base = base;
    this.isStacked = isStacked;
    this.title = title;
    this.cursor = null;
    this.width = 0;
    this.grid = draw("g", { class: "grid" });
    this.marks = draw("g", { class: "marks" });
    this.lines = draw("g", { class: "lines" });
    this.hair = draw("line", { class: "hair", y1: TOP, y2: HEIGHT - BOTTOM });
    this.svg = draw("svg", { role: "img", tabindex: 0, height: HEIGHT, width: "100%" },
      this.grid, this.marks, this.lines, this.hair);
    this.when = make("span", { className: "when" });
    this.legend = make("ul", { className: "legend" });
    const caption = make("figcaption", {}, make("span", { className: "chart-title" }, title), make("small", {}, unit), this.when);
    this.empty = make("p", { className: "empty" }, "No samples yet");
    this.node = make("figure", { className: "chart" }, caption, this.svg, this.empty, this.legend);
    parent.append(this.node);
    this.listen();
  }

  listen() {
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.paint();
    }).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(this.timeAt(event.offsetX)));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("blur", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const data = this.data;
    if (!data?.times.length) return;
    const last = data.times.length - 1;
    const now = this.cursor === null ? last : nearest(data.times, this.cursor);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.point(to === null ? null : data.times[Math.max(0, Math.min(last, to))]);
  }

  point(time) {
    this.cursor = time;
    this.paintCursor();
  }

  timeAt(x) {
    if (!this.data) return null;
    const part = (x - LEFT) / Math.max(1, this.width - LEFT - RIGHT);
    return this.data.from + part * (this.data.to - this.data.from);
  }

  /**
   * Shows `series`, each `{ key, name, tone, isFaint, points: [[ms, value], …] }`, from `from` to `to`.
   *
   * A hole wider than `step` × 2.5 breaks a line. `marks` are `{ at, tone }`: something changed then.
   */
  set({ from, to, step, series, marks = [], left = 0 }) {
    const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
    const shown = series.map((one) => ({ ...one, at: new Map(one.points) }));
    this.data = { from, to, step, times, series: shown, marks, left };
    this.paint();
  }

  paint() {
    const data = this.data;
    if (!data || this.width < LEFT + RIGHT + 20) return;
    const hasPoints = data.times.length > 0;
    this.empty.classList.toggle("unseen", hasPoints);
    setAll(this.svg, { viewBox: `0 0 ${this.width} ${HEIGHT}` });
    const top = niceCeiling(this.highest(), this.base);
    const x = (at) => LEFT + ((at - data.from) / (data.to - data.from)) * (this.width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    this.x = x;
    this.paintGrid(top, x, y);
    this.paintMarks(x);
    const paths = this.isStacked ? this.areas(x, y) : this.strokes(x, y);
    keep(this.lines, paths, ({ key }) => key, () => ({ node: draw("path") }),
      ({ node }, path) => setAll(node, { d: path.d, class: path.className }));
    this.paintCursor();
  }

  highest() {
    const { series, times } = this.data;
    let most = 0;
    for (const at of times) {
      const values = series.map((one) => one.at.get(at) ?? 0);
      most = Math.max(most, this.isStacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values));
    }
    return most;
  }

  paintGrid(top, x, y) {
    const { from, to } = this.data;
    const items = [0, top / 2, top].map((value) => ({
      key: `y ${value}`, line: { x1: LEFT, x2: this.width - RIGHT, y1: y(value), y2: y(value) },
      label: { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, says: this.format(value),
    }));
    for (const at of timeTicks(from, to, this.width < 420 ? 3 : 5)) {
      items.push({
        key: `x ${at}`, line: { x1: x(at), x2: x(at), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 },
        label: { x: x(at), y: HEIGHT - 4, "text-anchor": "middle" }, says: tick(at, to - from),
      });
    }
    const create = () => {
      const line = draw("line");
      const label = draw("text");
      return { node: draw("g", {}, line, label), line, label };
    };
    keep(this.grid, items, ({ key }) => key, create, (parts, item) => {
      setAll(parts.line, item.line);
      setAll(parts.label, item.label);
      text(parts.label, item.says);
    });
  }

  paintMarks(x) {
    const { from, to, marks } = this.data;
    const shown = marks.filter(({ at }) => at >= from && at <= to);
    keep(this.marks, shown, ({ key }) => key, () => ({ node: draw("line", { y1: TOP, y2: HEIGHT - BOTTOM }) }),
      ({ node }, { at, tone }) => setAll(node, { x1: x(at), x2: x(at), class: `mark ${tone}` }));
  }

  strokes(x, y) {
    return this.data.series.map((one) => {
      let d = "";
      let before = null;
      for (const [at, value] of one.points) {
        const isBreak = before === null || at - before > this.data.step * 2.5;
        d += `${isBreak ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
        // A point alone is a dot.
        if (isBreak) d += "h0.01";
        before = at;
      }
      return { key: one.key, d, className: `line ${one.tone}${one.isFaint ? " faint" : ""}` };
    });
  }

  areas(x, y) {
    const { series, times, step } = this.data;
    const base = new Map(times.map((at) => [at, 0]));
    return series.map((one) => {
      const upper = [];
      const lower = [];
      let d = "";
      const close = () => {
        if (upper.length) d += `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
        upper.length = 0;
        lower.length = 0;
      };
      let before = null;
      for (const at of times) {
        if (before !== null && at - before > step * 2.5) close();
        const below = base.get(at);
        const above = below + (one.at.get(at) ?? 0);
        base.set(at, above);
        lower.push(`${x(at).toFixed(1)} ${y(below).toFixed(1)}`);
        upper.push(`${x(at).toFixed(1)} ${y(above).toFixed(1)}`);
        before = at;
      }
      close();
      return { key: one.key, d, className: `area ${one.tone}` };
    });
  }

  /** The legend: the values at the cursor, or the last ones. */
  paintCursor() {
    const data = this.data;
    if (!data) return;
    const index = this.cursor === null ? data.times.length - 1 : nearest(data.times, this.cursor);
    const at = data.times[index];
    const isPointing = this.cursor !== null && at !== undefined;
    setAll(this.hair, { x1: isPointing ? this.x(at) : -9, x2: isPointing ? this.x(at) : -9 });
    text(this.when, isPointing ? `${this.markNear(this.cursor)}${clock(at)}` : "");
    const value = (one) => this.format((this.cursor === null ? lastValue(one.points) : one.at.get(at)) ?? null);
    const named = new Map();
    for (const one of data.series) named.set(one.name, [...(named.get(one.name) ?? []), one]);
    const create = () => {
      const number = make("b", {}, NOTHING);
      const name = make("span", {});
      return { node: make("li", {}, make("i", {}), name, number), name, number };
    };
    keep(this.legend, [...named], ([name]) => name, create, (parts, [name, all]) => {
      parts.node.firstChild.className = `swatch ${all[0].tone}`;
      text(parts.name, name);
      text(parts.number, all.map(value).join(" / "));
    });
    const rest = data.left ? ` ${data.left} more are not drawn; choose a provider.` : "";
    const says = data.series.map((one) => `${one.name} ${value(one)}`).join(", ");
    setAll(this.svg, { "aria-label": `${this.title}: ${says || "no samples yet"}${isPointing ? ` at ${clock(at)}` : ""}.${rest}` });
  }

  /** What changed near a time, before the time itself. */
  markNear(time) {
    const reach = (this.data.to - this.data.from) / 80;
    const near = this.data.marks.filter(({ at }) => Math.abs(at - time) < reach);
    return near.length ? `${near[0].title}${near.length > 1 ? ` and ${near.length - 1} more` : ""}, ` : "";
  }
}

const lastValue = (points) => points.at(-1)?.[1];

function nearest(times, time) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
}

const ROUND = { 10: [1, 2, 3, 5, 10], 1024: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] };

/** The next round number: one of `ROUND` times a power of `base`; 1 for nothing. */
function niceCeiling(value, base) {
  if (!(value > 0)) return 1;
  const power = base ** Math.floor(Math.log(value) / Math.log(base));
  return (ROUND[base].find((step) => step * power >= value) ?? base) * power;
}

const TICK_STEPS = [60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800].map((s) => s * 1000);

function timeTicks(from, to, wanted) {
  const step = TICK_STEPS.find((one) => (to - from) / one <= wanted) ?? TICK_STEPS.at(-1);
  const offset = new Date(from).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) ticks.push(at);
  return ticks;
}

"""##),
"/page/dom.js": Asset(type: "text/javascript; charset=utf-8", tag: #""ccd2b771d52c51df0c967b1ffb24af64""#, text: ##"""
// Builds, fills and keeps nodes. What comes from the host reaches the page as text only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** A new element: `make("p", { className: "note" }, "text", child)`. Attributes with a dash or a colon are set as such. */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG, where every property is an attribute. */
export function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAll(node, attributes);
  node.append(...children);
  return node;
}

export function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name.includes("-") || name === "role" || name === "scope") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** Writes only what differs, so that a screen reader hears only what changed. */
export function text(node, value) {
  const wanted = value === null || value === undefined ? "" : String(value);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** A number from /metrics: `page.js` fills it after each event from the series that `selector` picks. */
export function figure(selector, format = "count") {
  return make("output", { "data-metric": selector, "data-format": format }, "–");
}

const kept = new WeakMap();

/**
 * Makes the children of `parent` those of `items`, in order. A child whose key stays is kept, with its focus.
 *
 * `create(item)` returns `{ node, … }`; `update(parts, item)` fills it.
 */
export function keep(parent, items, keyOf, create, update) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (after.has(key)) continue;
    const parts = before.get(key) ?? create(item);
    before.delete(key);
    after.set(key, parts);
    update(parts, item);
  }
  for (const { node } of before.values()) node.remove();
  let place = parent.firstChild;
  for (const { node } of after.values()) {
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  kept.set(parent, after);
}

"""##),
"/page/feed.js": Asset(type: "text/javascript; charset=utf-8", tag: #""8378bd5180989de283faf6274897b1ee""#, text: ##"""
// The live feed: opens /events, reads its events, and opens it again when it ends, stalls or is refused.
//
// | state        | means                                     | leaves by                                   |
// |--------------|-------------------------------------------|---------------------------------------------|
// | connecting   | asked, nothing came yet                   | an event: live; the end: waiting            |
// | live         | an event came within STALE_MS             | silence: stale; the end: waiting            |
// | stale        | connected, but silent                     | an event: live; DEAD_MS: waiting            |
// | waiting      | lost; asks again in a while, or when told | the time: connecting                        |
// | denied       | 401: a login is needed                    | `retry`: connecting                         |

export const STALE_MS = 3000;
const DEAD_MS = 10000;
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 10000;
/** An event longer than this is none of ours. */
const EVENT_LIMIT = 16 << 20;

export class Feed {
  /** `onEvent(name, data)` for each event, `onState(state, detail)` when the state changes. */
  constructor(onEvent, onState) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.state = "connecting";
    this.lastEventAt = null;
    this.wait = FIRST_WAIT_MS;
    this.retryAt = null;
    this.wake = () => {};
    setInterval(() => this.watch(), 250);
    addEventListener("online", () => this.retry());
  }

  async run() {
    for (;;) {
      this.enter("connecting");
      const detail = await this.readOnce();
      if (this.state === "denied") await new Promise((resume) => (this.wake = resume));
      else await this.pause(detail);
    }
  }

  /** Asks again at once, if it is not connected. */
  retry() {
    this.wait = FIRST_WAIT_MS;
    this.wake();
  }

  /** Ends the connection that is open, so that it begins anew with what the host now allows. */
  restart() {
    this.wait = 0;
    this.abort?.abort("restart");
    this.wake();
  }

  enter(state, detail = "") {
    if (state === this.state && detail === this.detail) return;
    this.state = state;
    this.detail = detail;
    this.onState(state, detail);
  }

  async pause(detail) {
    const wait = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(LAST_WAIT_MS, Math.max(FIRST_WAIT_MS, this.wait * 2));
    this.retryAt = Date.now() + wait;
    this.enter("waiting", detail);
    await new Promise((resume) => {
      this.wake = resume;
      setTimeout(resume, wait);
    });
    this.retryAt = null;
  }

  watch() {
    if (this.lastEventAt === null || (this.state !== "live" && this.state !== "stale")) return;
    const silent = Date.now() - this.lastEventAt;
    if (silent > DEAD_MS) this.abort?.abort("silent");
    else if (silent > STALE_MS) this.enter("stale");
  }

  /** One connection, to its end. Returns why it ended. */
  async readOnce() {
    this.abort = new AbortController();
    const opening = setTimeout(() => this.abort.abort("silent"), DEAD_MS);
    try {
      const answer = await fetch("/events", {
        headers: { Accept: "text/event-stream" }, cache: "no-store", signal: this.abort.signal,
      });
      if (answer.status === 401) {
        this.enter("denied");
        return "";
      }
      if (!answer.ok) return await refusal(answer);
      this.lastEventAt = Date.now();
      await this.read(answer.body.getReader(), () => clearTimeout(opening));
      return "the host ended the feed";
    } catch (error) {
      if (error instanceof SyntaxError) return "what came is not the feed";
      return this.abort.signal.aborted ? "the host fell silent" : "the host does not answer";
    } finally {
      clearTimeout(opening);
      this.abort.abort("over");
    }
  }

  async read(reader, began) {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      if (rest.length > EVENT_LIMIT) throw new Error("an event is too long");
      for (const block of blocks) {
        const { name, data } = parseBlock(block);
        if (!data) continue;
        began();
        this.wait = FIRST_WAIT_MS;
        this.lastEventAt = Date.now();
        this.enter("live");
        const event = JSON.parse(data);
        // A fault of the page ends no connection; it stands in the console.
        try {
          this.onEvent(name, event);
        } catch (error) {
          reportError(error);
        }
      }
    }
  }
}

function parseBlock(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return { name, data: data.join("\n") };
}

/** What an answer that is an error says. */
export async function refusal(answer) {
  try {
    const { error } = JSON.parse(await answer.text());
    return `${error.message} (HTTP ${answer.status})`;
  } catch {
    return `the host answers HTTP ${answer.status}`;
  }
}

"""##),
"/page/figures.js": Asset(type: "text/javascript; charset=utf-8", tag: #""55e0af367791bc3148ee7f364f80628b""#, text: ##"""
// The figures of /metrics, as the feed gives them: whole at first, then what changed.

/** Far above what a host has; what is beyond it is not kept. */
const SERIES_LIMIT = 20000;
const SELECTOR_LIMIT = 4000;

/** `name{a="b",…}` as its name and labels. */
export function parseKey(key) {
  const brace = key.indexOf("{");
  if (brace < 0) return { name: key, labels: {} };
  const labels = {};
  for (const [, name, value] of key.slice(brace).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
  }
  return { name: key.slice(0, brace), labels };
}

/** `name{a="b"}` for use as a selector. */
export function selector(name, labels) {
  const pairs = Object.entries(labels).map(([label, value]) => {
    const escaped = String(value).replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
    return `${label}="${escaped}"`;
  });
  return pairs.length ? `${name}{${pairs.join(",")}}` : name;
}

const matches = (labels, wanted) => Object.keys(wanted).every((name) => labels[name] === wanted[name]);

export class Figures {
  constructor() {
    this.clear();
    this.selectors = new Map();
  }

  clear() {
    this.names = new Map();
    this.size = 0;
    this.at = null;
  }

  apply(event) {
    if (event.full) this.clear();
    this.at = event.at;
    for (const [key, value] of Object.entries(event.values ?? {})) this.set(key, value);
    for (const key of event.removed ?? []) this.remove(key);
  }

  set(key, value) {
    const name = key.split("{", 1)[0];
    let series = this.names.get(name);
    if (!series) this.names.set(name, (series = new Map()));
    const known = series.get(key);
    if (known) known.value = value;
    else if (this.size < SERIES_LIMIT) {
      series.set(key, { key, labels: parseKey(key).labels, value });
      this.size += 1;
    }
  }

  remove(key) {
    const name = key.split("{", 1)[0];
    const series = this.names.get(name);
    if (!series?.delete(key)) return;
    this.size -= 1;
    if (!series.size) this.names.delete(name);
  }

  /** The series of `name` that have all of `wanted`. */
  *series(name, wanted = {}) {
    for (const entry of this.names.get(name)?.values() ?? []) if (matches(entry.labels, wanted)) yield entry;
  }

  /** Their sum; null: there is none. */
  sum(name, wanted = {}) {
    let total = null;
    for (const { value } of this.series(name, wanted)) if (Number.isFinite(value)) total = (total ?? 0) + value;
    return total;
  }

  /** What a selector in the page's text picks: one series, or the sum of those that have its labels. */
  pick(text) {
    let parsed = this.selectors.get(text);
    if (!parsed) {
      if (this.selectors.size >= SELECTOR_LIMIT) this.selectors.clear();
      this.selectors.set(text, (parsed = parseKey(text)));
    }
    return this.sum(parsed.name, parsed.labels);
  }

  /** A value for each value of `label`: sums over the rest. */
  by(name, label, wanted = {}) {
    const sums = new Map();
    for (const { labels, value } of this.series(name, wanted)) {
      if (Number.isFinite(value)) sums.set(labels[label], (sums.get(labels[label]) ?? 0) + value);
    }
    return sums;
  }

  *all() {
    for (const series of this.names.values()) yield* series.values();
  }
}

"""##),
"/page/format.js": Asset(type: "text/javascript; charset=utf-8", tag: #""8c8d75de3efc700a482d98bd00d91a83""#, text: ##"""
// Numbers and times as the page writes them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function count(value) {
  if (!isNumber(value)) return NOTHING;
  return Number.isInteger(value) ? whole.format(value) : hundredths.format(value);
}

/** A rate or another number that is rarely whole: 0.04, 3.2, 140. */
export function rate(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0 || Math.abs(value) >= 100) return whole.format(value);
  return Math.abs(value) < 1 ? hundredths.format(value) : tenths.format(value);
}

export function seconds(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0) return "0 s";
  if (value < 0.001) return `${whole.format(value * 1e6)} µs`;
  if (value < 0.01) return `${tenths.format(value * 1000)} ms`;
  if (value < 1) return `${whole.format(value * 1000)} ms`;
  if (value < 10) return `${hundredths.format(value)} s`;
  if (value < 120) return `${tenths.format(value)} s`;
  return age(value * 1000);
}

export const milliseconds = (value) => (isNumber(value) ? seconds(value / 1000) : NOTHING);

export function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  let rest = value;
  while (Math.abs(rest) >= 1024 && step < units.length - 1) {
    rest /= 1024;
    step += 1;
  }
  return `${step === 0 || rest >= 100 ? whole.format(rest) : tenths.format(rest)} ${units[step]}`;
}

/** How long something has lasted, in two units at most. */
export function age(milliseconds) {
  if (!isNumber(milliseconds)) return NOTHING;
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return minutes < 10 ? `${minutes} min ${total % 60} s` : `${minutes} min`;
  return `${total} s`;
}

/** The time of day, with the day when it is not today. */
export function clock(at, now = Date.now()) {
  if (!isNumber(at)) return NOTHING;
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? time.format(at) : `${day.format(at)} ${minute.format(at)}`;
}

/** What a chart's axis says at `at`, for a window of `length` milliseconds. */
export function tick(at, length) {
  return length > 2 * 86400e3 ? day.format(at) : minute.format(at);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export const FORMATS = { count, rate, seconds, milliseconds, bytes };

"""##),
"/page/overview.js": Asset(type: "text/javascript; charset=utf-8", tag: #""7153ad8d751711ffbb1d4718d5ba5f71""#, text: ##"""
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

"""##),
"/page/providers.js": Asset(type: "text/javascript; charset=utf-8", tag: #""1765f5b49e4e884e899c7e427b78a9ca""#, text: ##"""
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


"""##),
"/page/requests.js": Asset(type: "text/javascript; charset=utf-8", tag: #""4a6a5b8c3ae596ae51cec48d7952d509""#, text: ##"""
// Live requests with their course, and those that ended.

import { byId, draw, keep, make, setAll, show, text } from "./dom.js";
import { NOTHING, age, clock, count, milliseconds } from "./format.js";

/** The course of a row reaches back as far as the longest row needs, in one of these steps. */
const SPANS_MS = [10000, 30000, 60000, 120000];
const SAMPLES_LIMIT = 150;
const ENDED_SHOWN = 12;
const COURSE = { width: 260, height: 18 };

export const OUTCOME_TONES = { complete: "good", truncated: "warn", cancelled: "idle", failed: "bad", refused: "refused" };
export const isWrong = ({ outcome }) => outcome === "truncated" || outcome === "failed" || outcome === "refused";

/** Clients choose the ids, and may choose one twice: the host's own key tells calls apart. */
export const keyOf = ({ key, id }) => key ?? id;
const linkTo = (request) => `#request/${encodeURIComponent(keyOf(request))}`;

export class LiveRequests {
  constructor() {
    this.list = [];
    this.total = 0;
    /** What was seen of each, once a second: `[{ at, chunks, gapMs, phase, isPaused }]`. */
    this.samples = new Map();
  }

  set({ at, total, live }) {
    this.at = at;
    this.total = total;
    this.list = live;
    const before = this.samples;
    this.samples = new Map(live.map((request) => {
      const samples = before.get(keyOf(request)) ?? [];
      samples.push({ at, chunks: request.chunks, gapMs: request.last_chunk_ms_ago, isPaused: request.is_paused });
      if (samples.length > SAMPLES_LIMIT) samples.shift();
      return [keyOf(request), samples];
    }));
  }

  clear() {
    this.set({ at: 0, total: 0, live: [] });
  }

  render() {
    text(byId("live-count"), this.total > this.list.length ? `${count(this.list.length)} oldest of ${count(this.total)}` : count(this.total));
    show(byId("live-none"), this.list.length === 0);
    byId("live").closest(".scroll").hidden = this.list.length === 0;
    const oldest = Math.max(0, ...this.list.map((request) => this.at - request.started_at));
    const span = SPANS_MS.find((one) => one >= oldest) ?? SPANS_MS.at(-1);
    keep(byId("live"), this.list, keyOf, row, (parts, request) => this.update(parts, request, span));
  }

  update(parts, request, span) {
    text(parts.where, `${request.provider}, ${request.model}`);
    text(parts.tool, request.tool && request.tool !== "chat" ? request.tool : "");
    text(parts.phase, request.is_paused ? `${request.phase}, client is slow` : request.phase);
    parts.phase.className = `phase ${request.is_paused ? "paused" : request.phase}`;
    text(parts.attempt, request.attempt > 1 ? `try ${request.attempt}` : "");
    text(parts.age, milliseconds(Math.max(0, this.at - request.started_at)));
    text(parts.chunks, count(request.chunks));
    text(parts.gap, request.chunks > 1 || request.max_gap_ms ? milliseconds(request.max_gap_ms) : NOTHING);
    text(parts.session, request.principal ? `${request.principal} ${short(request.session)}` : short(request.session));
    const pieces = course(request, this.samples.get(keyOf(request)) ?? [], this.at, span);
    keep(parts.course, pieces, ({ key }) => key, () => ({ node: draw("rect", { y: 2, height: COURSE.height - 4 }) }),
      ({ node }, { x, width, kind }) => setAll(node, { x: x.toFixed(1), width: width.toFixed(1), class: kind }));
    setAll(parts.course, { "aria-label": spoken(request) });
  }
}

function row(request) {
  const parts = {
    link: make("a", { href: linkTo(request), title: request.id }, short(request.id)), where: make("span", {}), tool: make("small", {}), phase: make("span", {}),
    attempt: make("small", {}), age: make("td", { className: "number when" }), chunks: make("td", { className: "number less" }),
    gap: make("td", { className: "number less" }), session: make("td", { className: "less" }),
    course: draw("svg", { class: "course", role: "img", viewBox: `0 0 ${COURSE.width} ${COURSE.height}`, preserveAspectRatio: "none" }),
  };
  parts.node = make("tr", {},
    make("th", { scope: "row" }, parts.link), make("td", { className: "where" }, parts.where, " ", parts.tool),
    make("td", { className: "state" }, parts.phase, " ", parts.attempt), make("td", { className: "wide" }, parts.course),
    parts.age, parts.chunks, parts.gap, parts.session);
  return parts;
}

/** The bars of one row. The right edge is now, the left edge `span` ms before. */
function course(request, samples, at, span) {
  const pieces = [];
  const add = (from, to, kind) => {
    const x = COURSE.width * (1 - (at - Math.max(from, at - span)) / span);
    const width = COURSE.width * ((to - Math.max(from, at - span)) / span);
    if (to <= at - span || width <= 0) return;
    const last = pieces.at(-1);
    if (last?.kind === kind && Math.abs(last.x + last.width - x) < 0.5) last.width += width;
    else pieces.push({ key: pieces.length, x, width: Math.max(width, 0.75), kind });
  };
  const begun = request.started_at;
  const admitted = Math.min(at, begun + (request.phase === "queued" ? at - begun : request.queued_ms));
  add(begun, admitted, "queued");
  const first = request.first_token_ms === null ? at : begun + request.first_token_ms;
  add(admitted, first, "waiting");
  let before = first;
  for (const [index, sample] of samples.entries()) {
    if (sample.at <= before) continue;
    const was = samples[index - 1];
    const silentFrom = Math.max(before, sample.at - (sample.gapMs ?? 0));
    const isBusy = !was || sample.chunks > was.chunks;
    if (sample.isPaused) add(before, sample.at, "paused");
    else if (isBusy && silentFrom < sample.at) {
      add(before, silentFrom, "answering");
      add(silentFrom, sample.at, sample.gapMs > 1000 ? "gap" : "answering");
    } else add(before, sample.at, isBusy ? "answering" : "gap");
    before = sample.at;
  }
  return pieces;
}

function spoken({ queued_ms: queued, first_token_ms: first, max_gap_ms: gap }) {
  const wait = first === null ? "no token yet" : `first token after ${milliseconds(first)}`;
  return `queued ${milliseconds(queued)}, ${wait}, longest gap ${milliseconds(gap)}`;
}

export class EndedRequests {
  constructor() {
    this.list = [];
    this.onlyWrong = false;
    /** Whether all are shown, or the first of them. */
    this.isWhole = false;
  }

  render(now) {
    const chosen = this.onlyWrong ? this.list.filter(isWrong) : this.list;
    const shown = this.isWhole ? chosen : chosen.slice(0, ENDED_SHOWN);
    show(byId("recent-more"), chosen.length > ENDED_SHOWN);
    text(byId("recent-more"), this.isWhole ? `Show the last ${ENDED_SHOWN}` : `Show all ${chosen.length}`);
    const wrong = this.list.filter(isWrong).length;
    text(byId("recent-count"), this.list.length ? `the last ${count(this.list.length)}, ${count(wrong)} went wrong` : "");
    text(byId("recent-none"), this.list.length ? "None of them went wrong." : "No request has ended since the host started.");
    show(byId("recent-none"), shown.length === 0);
    byId("recent").closest(".scroll").hidden = shown.length === 0;
    keep(byId("recent"), shown, keyOf, endedRow,
      (parts, request) => text(parts.ended, `${age(now - request.started_at - request.duration_ms)} ago`));
  }
}

/** What ended does not change, but for how long ago that was. */
function endedRow(request) {
  const link = make("a", { href: linkTo(request), title: request.id }, short(request.id));
  const ended = make("td", { className: "number when", title: clock(request.started_at + request.duration_ms) });
  const badge = make("span", { className: `badge ${OUTCOME_TONES[request.outcome] ?? "idle"}` }, request.outcome);
  const why = make("td", { className: "wide why" });
  if (request.code) why.append(make("code", {}, request.code), " ");
  why.append(request.message ?? "");
  const tool = request.tool && request.tool !== "chat" ? make("small", {}, request.tool) : "";
  const node = make("tr", {},
    make("th", { scope: "row" }, link), make("td", { className: "where" }, `${request.provider || "none"}, ${request.model || "none"} `, tool),
    make("td", { className: "state" }, badge), why, ended,
    make("td", { className: "number took" }, milliseconds(request.duration_ms)),
    make("td", { className: "number less" }, milliseconds(request.first_token_ms)),
    make("td", { className: "number less" }, request.chunks > 1 ? milliseconds(request.max_gap_ms) : NOTHING),
    make("td", { className: "number less" }, count(request.attempts)));
  return { node, ended };
}

/** An id as a table has room for it; the whole one is its title. */
export function short(id) {
  const all = String(id ?? "");
  return all.length > 16 ? `${all.slice(0, 15)}…` : all;
}

"""##),
"/page/tables.js": Asset(type: "text/javascript; charset=utf-8", tag: #""c338046bab50e2c12f9f1ad8ac90004f""#, text: ##"""
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

"""##),
"/page/timeline.js": Asset(type: "text/javascript; charset=utf-8", tag: #""487db4d7d01f7ef6bf49b659ad53de68""#, text: ##"""
// One request's own timeline, in a dialog at #request/ID; renewed each second while it runs.

import { byId, draw, make, text } from "./dom.js";
import { refusal } from "./feed.js";
import { NOTHING, clock, count, milliseconds } from "./format.js";
import { OUTCOME_TONES } from "./requests.js";
import { wordOf } from "./verdict.js";

const WIDTH = 640;
const HEIGHT = 84;
const BAR_TOP = 10;
const BAR_HEIGHT = 18;
const GAPS_BASE = 80;
const GAPS_HEIGHT = 40;

const TROUBLE = new Set(["attempt_failed", "failed", "truncated", "aborted_upstream", "refused"]);
const CARE = new Set(["retry", "fallback", "paused", "cancel", "cancelled"]);

export class Timeline {
  constructor() {
    this.dialog = byId("request-dialog");
    this.id = null;
    byId("request-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    addEventListener("hashchange", () => this.follow());
  }

  /** Opens or closes as the address says. */
  follow() {
    const found = /^#request\/(.+)$/.exec(location.hash);
    if (!found) return this.dialog.open ? this.dialog.close() : undefined;
    this.id = decodeURIComponent(found[1]);
    this.isOver = false;
    text(byId("request-title"), `Request ${this.id}`);
    byId("request-body").replaceChildren(make("p", { className: "calm" }, "Asking the host…"));
    if (!this.dialog.open) this.dialog.showModal();
    this.refresh();
  }

  closed() {
    this.id = null;
    this.asking?.abort();
    if (location.hash.startsWith("#request/")) history.pushState(null, "", location.pathname);
  }

  /** Called once a second; asks only while there is something to come. */
  async refresh() {
    const id = this.id;
    if (id === null || this.isOver) return;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    try {
      const answer = await fetch(`/requests/${encodeURIComponent(id)}`, { signal: asking.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(await refusal(answer));
      const request = await answer.json();
      if (id === this.id) this.show(request);
    } catch (error) {
      if (asking.signal.aborted || id !== this.id) return;
      this.isOver = true;
      byId("request-body").replaceChildren(make("p", { className: "error" }, `No timeline: ${error.message}`));
    }
  }

  show(request) {
    this.isOver = Boolean(request.outcome);
    text(byId("request-title"), `Request ${request.id}`);
    const facts = [
      ["Provider", `${request.provider || "none"}, ${request.model || "none"}`], ["Tool", request.tool], ["Whose", request.principal ?? "anybody"], ["Queued", milliseconds(request.queued_ms)],
      ["Received", clock(request.started_at)], ["Took", request.duration_ms === undefined ? "still runs" : milliseconds(request.duration_ms)],
      ["First token", milliseconds(request.first_token_ms)], ["Chunks", count(request.chunks)],
      ["Longest gap", request.chunks > 1 ? milliseconds(request.max_gap_ms) : NOTHING], ["Tries", count(request.attempts ?? request.attempt)],
    ];
    const outcome = make("p", {}, make("span", { className: `badge ${OUTCOME_TONES[request.outcome] ?? "idle"}` }, request.outcome ?? request.phase ?? "running"), " ");
    if (request.code) outcome.append(make("code", {}, request.code), " ");
    if (request.message) outcome.append(request.message);
    const body = make("div", {}, outcome,
      make("dl", { className: "facts wide-facts" }, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value ?? NOTHING)))),
      waterfall(request), make("ol", { className: "events", tabIndex: 0, ariaLabel: "Events" }, ...(request.events ?? []).map(eventRow)));
    byId("request-body").replaceChildren(...body.childNodes);
  }
}

function eventRow({ at_ms: at, what, detail }) {
  const tone = TROUBLE.has(what) ? "bad" : CARE.has(what) ? "warn" : what === "complete" ? "good" : "idle";
  return make("li", { className: tone }, make("span", { className: "number" }, `+${milliseconds(at)}`), make("b", {}, wordOf(what)), make("span", {}, detail ?? ""));
}

/** The phases as one bar, and under it each gap between two chunks, as high as it was long. */
function waterfall(request) {
  const events = request.events ?? [];
  const gaps = request.gaps ?? [];
  const when = (name) => events.find(({ what }) => what === name)?.at_ms;
  const end = Math.max(1, request.duration_ms ?? 0, ...events.map(({ at_ms: at }) => at), ...gaps.map(([at]) => at));
  const x = (at) => (at / end) * WIDTH;
  const svg = draw("svg", { class: "waterfall", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", preserveAspectRatio: "none" });
  const bar = (from, to, kind) => to > from && svg.append(draw("rect", {
    x: x(from).toFixed(1), width: Math.max(1, x(to) - x(from)).toFixed(1), y: BAR_TOP, height: BAR_HEIGHT, class: kind,
  }));
  const admitted = when("admitted") ?? when("opened") ?? end;
  const first = when("first_token") ?? end;
  bar(0, admitted, "queued");
  bar(admitted, first, "waiting");
  bar(first, end, "answering");
  const longest = Math.max(1, ...gaps.map(([, gap]) => gap));
  const notable = Math.max(250, end * 0.05);
  for (const [at, gap] of gaps) {
    if (gap >= notable) bar(at - gap, at, "gap");
    const height = Math.max(1, (gap / longest) * GAPS_HEIGHT);
    svg.append(draw("rect", { x: Math.max(0, x(at) - 1).toFixed(1), width: 2, y: GAPS_BASE - height, height, class: gap >= notable ? "gap-bar long" : "gap-bar" }));
  }
  for (const { at_ms: at, what } of events) {
    const tone = TROUBLE.has(what) ? "bad" : CARE.has(what) ? "warn" : "idle";
    svg.append(draw("line", { x1: x(at).toFixed(1), x2: x(at).toFixed(1), y1: 2, y2: BAR_TOP + BAR_HEIGHT + 4, class: `tick ${tone}` }));
  }
  svg.setAttribute("aria-label", `Course over ${milliseconds(end)}: first token after ${milliseconds(when("first_token") ?? null)}, longest gap ${gaps.length ? milliseconds(longest) : NOTHING}`);
  const scale = make("p", { className: "scale" }, make("span", {}, "0"), make("span", {}, gaps.length ? `gaps between chunks, the longest ${milliseconds(longest)}` : ""), make("span", {}, milliseconds(end)));
  return make("div", {}, svg, scale);
}

"""##),
"/page/trends.js": Asset(type: "text/javascript; charset=utf-8", tag: #""f932285ba56023145a521fdde96a0b73""#, text: ##"""
// What the charts show: stored samples from /history, continued by what the feed brings.

import { refusal } from "./feed.js";
import { keyOf } from "./requests.js";

/** The host stores a sample as often. */
const BUCKET_MS = 10000;
/** An hour of them, should there be no history. */
const BUCKETS_LIMIT = 360;
const POINTS = 240;
/** The shortest time that is shown. */
const LEAST_MS = 120000;
const REFETCH_MS = 60000;
/** Ended requests that wait for the next figures. */
const FRESH_LIMIT = 500;

/**
 * One line or some of a chart: a metric, how it is read live, and by which label it is split.
 *
 * `kind`: `rate` of a counter, `gauge`, or `quantile` of the requests that ended (`field`, in ms).
 */
class Source {
  constructor({ metric, live, kind, by, name, field, quantile, isFaint }) {
    this.metric = metric;
    this.live = live ?? metric;
    this.kind = kind;
    this.by = by;
    this.name = name;
    this.field = field;
    this.quantile = quantile;
    this.isFaint = isFaint;
    this.clear();
  }

  clear() {
    /** `[{ at, values: Map of "provider\0group" to number }]` */
    this.buckets = [];
    this.open = null;
    this.base = null;
    this.ended = [];
    this.history = [];
  }

  observe(figures, ended) {
    const at = figures.at;
    const now = this.read(figures, ended);
    if (!this.base) {
      this.base = { at, values: now };
      if (this.kind === "gauge") this.buckets.push(this.base);
    }
    const values = this.kind === "rate" ? rates(this.base, now, at) : now;
    if (!values) return;
    const isOver = Math.floor(at / BUCKET_MS) !== Math.floor(this.base.at / BUCKET_MS);
    if (!isOver) {
      this.open = { at, values };
      return;
    }
    this.buckets.push({ at, values });
    if (this.buckets.length > BUCKETS_LIMIT) this.buckets.shift();
    this.base = { at, values: now };
    this.open = null;
    this.ended = [];
  }

  read(figures, ended) {
    const values = new Map();
    if (this.kind === "quantile") {
      this.ended.push(...ended);
      for (const provider of new Set(this.ended.map((one) => one.provider))) {
        const own = this.ended.filter((one) => one.provider === provider && one[this.field] !== null);
        if (own.length) values.set(`${provider}\0${provider}`, quantile(own.map((one) => one[this.field]), this.quantile) / 1000);
      }
      return values;
    }
    for (const { labels, value } of figures.series(this.live)) {
      const key = `${labels.provider ?? ""}\0${this.by ? labels[this.by] : this.name}`;
      if (Number.isFinite(value)) values.set(key, (values.get(key) ?? 0) + value);
    }
    return values;
  }

  /** A Map of group to points, history first. */
  points(provider, from) {
    const groups = new Map();
    const add = (group, at, value) => {
      if (at < from || value === null) return;
      let points = groups.get(group);
      if (!points) groups.set(group, (points = new Map()));
      points.set(at, (points.get(at) ?? 0) + value);
    };
    let last = 0;
    for (const { labels, points } of this.history) {
      if (provider && labels.provider !== undefined && labels.provider !== provider) continue;
      for (const [at, value] of points) {
        add(this.by ? (labels[this.by] ?? this.name) : this.name, at, value);
        if (value !== null) last = Math.max(last, at);
      }
    }
    for (const { at, values } of this.open ? [...this.buckets, this.open] : this.buckets) {
      if (at <= last) continue;
      for (const [key, value] of values) {
        const [owner, group] = key.split("\0");
        if (!provider || !owner || owner === provider) add(group, at, value);
      }
    }
    return groups;
  }
}

function rates(base, now, at) {
  const seconds = (at - base.at) / 1000;
  if (seconds < 0.9) return null;
  return new Map([...now].map(([key, value]) => [key, Math.max(0, value - (base.values.get(key) ?? 0)) / seconds]));
}

export function quantile(values, part) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] : null;
}

const clocks = (metric, field) => [
  { metric: `${metric}:p50`, kind: "quantile", by: "provider", field, quantile: 0.5, isFaint: true },
  { metric: `${metric}:p99`, kind: "quantile", by: "provider", field, quantile: 0.99 },
];

export const CHARTS = [
  { id: "requests", title: "Requests", unit: "ended a second, by outcome", format: "rate", isStacked: true,
    sources: [{ metric: "patchbay_requests_total", kind: "rate", by: "outcome" }] },
  { id: "duration", title: "Duration", unit: "p50 dotted / p99, by provider", format: "seconds",
    sources: clocks("patchbay_request_duration_seconds", "duration_ms") },
  { id: "first-token", title: "Time to first token", unit: "p50 dotted / p99, by provider", format: "seconds",
    sources: clocks("patchbay_time_to_first_token_seconds", "first_token_ms") },
  { id: "tokens", title: "Tokens", unit: "a second", format: "rate",
    sources: [{ metric: "patchbay_tokens_total", kind: "rate", by: "direction" }] },
  { id: "permits", title: "Calls", unit: "in flight and waiting", format: "count", isStacked: true,
    sources: [{ metric: "patchbay_permits_in_flight", kind: "gauge", name: "in flight" },
      { metric: "patchbay_permits_queued", kind: "gauge", name: "waiting" }] },
  { id: "memory", title: "Memory", unit: "of the host and its workers", format: "bytes", base: 1024,
    sources: [{ metric: "process_resident_memory_bytes", kind: "gauge", name: "host" },
      { metric: "patchbay_worker_resident_bytes", kind: "gauge", by: "provider" }] },
];

export class Trends {
  /** `onNote(text)` says why there is no history; "" when there is. `onChange` asks for new drawing. */
  constructor(onNote, onChange) {
    this.charts = CHARTS.map((chart) => ({ ...chart, sources: chart.sources.map((source) => new Source(source)) }));
    this.seconds = 3600;
    this.provider = "";
    this.onNote = onNote;
    this.onChange = onChange;
    this.known = null;
    this.fresh = [];
    /** Whether there are no stored samples. */
    this.isAlone = false;
    setInterval(() => document.visibilityState === "visible" && this.fetch(), REFETCH_MS);
  }

  get step() {
    return Math.max(BUCKET_MS, Math.ceil((this.seconds * 1000) / POINTS / BUCKET_MS) * BUCKET_MS);
  }

  /** When what is shown begins. Without stored samples, the page's own are not lost in an empty hour. */
  beginning(to) {
    const from = to - this.seconds * 1000;
    if (!this.isAlone) return from;
    const first = Math.min(...[...this.sources()].map(({ buckets, base }) => buckets[0]?.at ?? base?.at ?? to));
    return Math.max(from, Math.min(first, to - LEAST_MS));
  }

  /** Another host process: its counters begin anew. */
  clear() {
    for (const source of this.sources()) source.clear();
    this.known = null;
    this.fresh = [];
  }

  *sources() {
    for (const chart of this.charts) yield* chart.sources;
  }

  observe(figures) {
    for (const source of this.sources()) source.observe(figures, this.fresh);
    this.fresh = [];
  }

  /** The list of ended requests: those that are new in it count for the clocks. */
  recent(list) {
    const keys = new Set(list.map(keyOf));
    if (this.known) {
      const fresh = list.filter((one) => one.outcome !== "refused" && !this.known.has(keyOf(one)));
      this.fresh = [...this.fresh, ...fresh].slice(-FRESH_LIMIT);
    }
    this.known = keys;
  }

  choose(seconds, provider) {
    this.seconds = seconds;
    this.provider = provider;
    this.onChange();
    return this.fetch();
  }

  /** Asks /history for all that is drawn. A later call overtakes an earlier one. */
  async fetch() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const to = Date.now() + (this.offset ?? 0);
    try {
      for (const source of this.sources()) {
        const query = new URLSearchParams({
          metric: source.metric, from: Math.floor(to - this.seconds * 1000), to: Math.floor(to), step: this.step / 1000,
        });
        const answer = await fetch(`/history?${query}`, { signal: asking.signal, cache: "no-store" });
        if (!answer.ok) throw new Error(await refusal(answer));
        source.history = (await answer.json()).series ?? [];
      }
      this.isAlone = false;
      this.onNote("");
    } catch (error) {
      if (asking.signal.aborted) return;
      for (const source of this.sources()) source.history = [];
      this.isAlone = true;
      this.onNote(`Stored samples cannot be had: ${error.message}. The charts begin when this page was opened.`);
    }
    this.onChange();
  }
}

"""##),
"/page/verdict.js": Asset(type: "text/javascript; charset=utf-8", tag: #""cb6d0eb6d1aaa43af36a6c60d9418d38""#, text: ##"""
// Decides what the top of the page says: one sentence on the host, and the problems, the worst first. No node is touched.

import { remedyOf, saidBy } from "./causes.js";

const RANK = { critical: 0, unhealthy: 0, warning: 1, degraded: 1 };

/**
 * The problems of a report, of the providers and of the failures that were seen:
 * `{ key, severity, title, message, since, remedy, provider }`.
 */
export function problems(health, providers, failures, now) {
  const found = [];
  for (const alert of health?.alerts ?? []) {
    found.push(withCause({
      key: `alert ${alert.name} ${alert.subject}`, severity: alert.severity, title: titleOf(alert.name, alert.subject),
      message: alert.message, since: alert.since, remedy: alert.remedy, subject: alert.subject,
    }, alert.name, failures));
  }
  for (const provider of providers ?? []) {
    const problem = providerProblem(provider, health?.components?.providers?.failed?.[provider.id]);
    const isSaid = found.some(({ subject, isCause }) => subject === provider.id && isCause);
    if (problem && !(isSaid && problem.mayBeSaidElsewhere)) found.push(withCause(problem, problem.name, failures));
  }
  for (const problem of failures.problems(now)) {
    const isSaid = problem.isCause && found.some(({ subject, isCause }) => subject === problem.subject && isCause);
    if (!isSaid) found.push(problem);
  }
  for (const [name, component] of Object.entries(health?.components ?? {})) {
    if (!component.status || component.status === "healthy" || !component.message) continue;
    // A component that is degraded by an alert says what the worst of them says, and how many more there are.
    if (found.some(({ said, message }) => (said ?? message) && component.message.startsWith(said ?? message))) continue;
    // Providers speak for themselves above.
    if (name === "providers" && found.some(({ subject, isCause }) => isCause && component.message.includes(subject))) continue;
    found.push({
      key: `component ${name}`, severity: component.status === "unhealthy" ? "critical" : "warning",
      title: wordOf(name), message: component.message, since: component.since, remedy: component.remedy,
    });
  }
  return found.sort((a, b) => (RANK[a.severity] ?? 2) - (RANK[b.severity] ?? 2) || (b.since ?? 0) - (a.since ?? 0));
}

/** Alerts of a provider that its last failure explains. */
const EXPLAINED = new Set(["breaker", "worker_crash", "quarantine"]);

/** A breaker is a symptom: what opened it is the cause, and says what to do. */
function withCause(problem, name, failures) {
  if (!EXPLAINED.has(name)) return problem;
  const failure = failures.of(problem.subject);
  if (!failure) return { ...problem, isCause: true };
  const message = `${problem.message}. The last failure: ${saidBy(failure)}`;
  return { ...problem, said: problem.message, message, remedy: name === "breaker" ? remedyOf(failure) : problem.remedy, isCause: true };
}

/** `refusal`: what health says of one that could not come up, `{ message, remedy }`. */
function providerProblem(provider, refusal) {
  const base = { subject: provider.id, provider: provider.id, since: provider.since };
  const refused = provider.update_refused;
  if (provider.state === "failed" || provider.state === "quarantined") {
    return {
      ...base, key: `provider ${provider.id}`, name: provider.state === "quarantined" ? "quarantine" : "", isCause: true, severity: "critical", title: `${provider.id}: ${provider.state}`,
      message: refusal?.message ?? provider.message, remedy: refusal?.remedy ?? "", mayBeSaidElsewhere: true,
    };
  }
  if (provider.breaker === "open") {
    return {
      ...base, key: `breaker ${provider.id}`, name: "breaker", severity: "warning", title: `${provider.id}: breaker open`,
      message: provider.message || "calls are refused until the next try succeeds", remedy: "see its last error", mayBeSaidElsewhere: true,
    };
  }
  if (refused) {
    return {
      ...base, key: `update ${provider.id}`, severity: "warning", title: `${provider.id}: update refused`,
      message: `${refused.path}: ${refused.reason}`, remedy: refused.remedy, mayBeSaidElsewhere: false,
    };
  }
  return null;
}

/** A name such as `breaker_open`, as words. */
export const wordOf = (name) => {
  const words = String(name ?? "").replace(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** What an alert of a name says in a title; another name is taken for words. */
const ALERT_WORDS = {
  host_permits: "Permits of the host run out", provider_permits: "Permits run out", buffered_bytes: "Memory held for clients", breaker: "Breaker",
  quarantine: "In quarantine", worker_crash: "Worker crashed", memory_growth: "Memory grows", worker_memory_growth: "Worker's memory grows",
  loop_standstill: "Stands still", storage_queue: "Queue of the storage", alert_webhook: "Alert webhook",
};
/** Subjects that say no more than the name does. */
const PLAIN_SUBJECTS = new Set(["", "host", "history", "log", "webhook"]);

export function titleOf(name, subject) {
  const word = ALERT_WORDS[name] ?? wordOf(name);
  // Of a path its last part; the message has all of it.
  const short = String(subject ?? "").split("/").findLast(Boolean) ?? subject;
  return PLAIN_SUBJECTS.has(subject ?? "") ? word : `${short}: ${word.charAt(0).toLowerCase()}${word.slice(1)}`;
}

/** `{ status, sentence }` for the feed's state, the report and the problems. */
export function verdict(feedState, health, providers, found) {
  if (!health && !providers) {
    return feedState === "waiting" || feedState === "stale"
      ? { status: "unknown", sentence: "No figures: the host does not answer" }
      : { status: "unknown", sentence: "Waiting for the first figures" };
  }
  const state = health?.state;
  if (state === "draining") return { status: "degraded", sentence: "Draining: no new calls are taken" };
  if (state === "starting") return { status: "unknown", sentence: "Starting: no calls are taken yet" };
  const worst = found[0];
  const more = found.length > 1 ? `, and ${found.length - 1} more` : "";
  const isBad = health?.status === "unhealthy" || health?.ready === false;
  if (isBad) return { status: "unhealthy", sentence: `Unhealthy: ${worst ? worst.title + more : state ?? "not ready"}` };
  if (worst) {
    const isCritical = worst.severity === "critical";
    return { status: isCritical ? "critical" : "degraded", sentence: `${isCritical ? "Trouble" : "Degraded"}: ${worst.title}${more}` };
  }
  if (health?.status === "degraded") return { status: "degraded", sentence: "Degraded" };
  const active = (providers ?? []).filter((provider) => provider.state === "active").length;
  const all = (providers ?? []).filter((provider) => provider.state !== "removed").length;
  if (!active) return { status: "unhealthy", sentence: "No provider is active" };
  return { status: "healthy", sentence: all === 1 ? "All is well: its provider serves" : `All is well: ${active} of ${all} providers serve` };
}

"""##),
"/page.css": Asset(type: "text/css; charset=utf-8", tag: #""eef87cec2388b300ab6b86374482d505""#, text: ##"""
/* Patchbay's page. Colours are named once for each scheme; Tests/EndToEndTests/test_page.py measures their contrast. */

:root {
  color-scheme: light dark;
  --ground: #f4f6f9;
  --surface: #ffffff;
  --raised: #eef1f6;
  --line: #d5dbe4;
  --text: #16202e;
  --dim: #52607a;
  --accent: #1a5fb4;
  --on-accent: #ffffff;
  --good: #0f7358;
  --good-ground: #e2f4ee;
  --warn: #8a5a00;
  --warn-ground: #fdf1d6;
  --bad: #b3261e;
  --bad-ground: #fdeae8;
  --idle: #586479;
  --idle-ground: #e9edf3;
  --refused: #7a3fa8;
  --refused-ground: #f3e9fb;
  --s0: #1a5fb4; --s1: #0f8a6a; --s2: #c06a00; --s3: #8f3fb5; --s4: #b3354f; --s5: #2b7f96; --s6: #6d6a1f;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace;
  --bar-height: 3.25rem;
}

@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d131c;
    --surface: #151d29;
    --raised: #1e2836;
    --line: #2c394b;
    --text: #e6ecf5;
    --dim: #9aa9bf;
    --accent: #82b6ff;
    --on-accent: #0b1420;
    --good: #56cfad;
    --good-ground: #12302a;
    --warn: #f2bd55;
    --warn-ground: #352a12;
    --bad: #ff8f85;
    --bad-ground: #3a1a1a;
    --idle: #a3b0c4;
    --idle-ground: #243041;
    --refused: #d3a6f5;
    --refused-ground: #2e2040;
    --s0: #82b6ff; --s1: #56cfad; --s2: #f2bd55; --s3: #d3a6f5; --s4: #ff8f9f; --s5: #6fd0e6; --s6: #cfcb6b;
  }
}

* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-padding-top: calc(var(--bar-height) + 1rem); scroll-behavior: smooth; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 0.9375rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word; -webkit-text-size-adjust: 100%;
}
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 650; text-wrap: balance; }
h2 { font-size: 1.0625rem; font-weight: 650; margin-bottom: 0.75rem; }
h3 { font-size: 0.9375rem; font-weight: 650; }
small { font-size: 0.8125rem; color: var(--dim); font-weight: 400; }
code { font-family: var(--mono); font-size: 0.875em; }
a { color: var(--accent); }
.count { color: var(--dim); font-weight: 400; font-size: 0.875em; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.calm, .note, .empty { color: var(--dim); }
.note:empty { display: none; }
.note { margin-bottom: 0.75rem; }
.number { text-align: right; white-space: nowrap; }
.good-text { color: var(--good); } .warn-text { color: var(--warn); } .bad-text { color: var(--bad); }

:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
section:focus { outline: none; }
.skip { position: fixed; z-index: 9; left: 1rem; top: -4rem; padding: 0.5rem 1rem; background: var(--accent); color: var(--on-accent); border-radius: 0 0 6px 6px; }
.skip:focus { top: 0; }

/* The bar */
.bar { position: sticky; top: 0; z-index: 5; background: var(--surface); border-bottom: 1px solid var(--line); }
.bar-inner, main { max-width: 90rem; margin: 0 auto; padding: 0 1.5rem; }
.bar-inner { display: flex; align-items: center; gap: 1.5rem; height: var(--bar-height); }
.brand { display: flex; align-items: center; gap: 0.5rem; color: var(--text); font-weight: 700; text-decoration: none; }
.bar nav { display: flex; gap: 0.25rem; overflow-x: auto; scrollbar-width: none; flex: 1 1 auto; min-width: 0; }
.bar nav a { padding: 0.35rem 0.6rem; border-radius: 6px; color: var(--dim); text-decoration: none; white-space: nowrap; }
.bar nav a:hover { color: var(--text); background: var(--raised); }
.bar nav a:focus-visible { outline-offset: -3px; }
.feed { display: flex; align-items: center; gap: 0.5rem; white-space: nowrap; margin-left: auto; font-size: 0.875rem; }
.pulse { width: 0.625rem; height: 0.625rem; border-radius: 50%; background: var(--idle); }
[data-feed="live"] .pulse { background: var(--good); animation: pulse 2s ease-in-out infinite; }
[data-feed="stale"] .pulse, [data-feed="waiting"] .pulse { background: var(--bad); border-radius: 1px; }
[data-feed="live"] .feed { color: var(--good); }
[data-feed="stale"] .feed, [data-feed="waiting"] .feed { color: var(--bad); font-weight: 600; }
@keyframes pulse { 50% { opacity: 0.45; } }
.who { display: flex; align-items: center; gap: 0.5rem; white-space: nowrap; font-size: 0.875rem; color: var(--dim); }
.stale {
  position: fixed; z-index: 6; left: 50%; bottom: 1rem; transform: translateX(-50%); max-width: calc(100vw - 2rem); width: max-content;
  padding: 0.6rem 1.1rem; border-radius: 8px; background: var(--bad-ground); color: var(--bad); border: 1px solid var(--bad); font-weight: 600;
}

/* The sections */
main { padding-top: 1.25rem; padding-bottom: 5rem; }
#content > section { margin-top: 1.25rem; }
#content > section:not(.verdict) { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1.125rem 1.25rem 1.25rem; }
#content > section:first-child { margin-top: 0; }
[data-feed="stale"] #content > section:not(.verdict), [data-feed="waiting"] #content > section:not(.verdict) { filter: grayscale(0.85); }
.heading { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.5rem 1rem; margin-bottom: 0.75rem; }
.heading h2, .heading h3 { margin: 0; }
.tools { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.5rem; }

/* The verdict */
.verdict { display: grid; grid-template-columns: minmax(0, 4fr) minmax(0, 7fr); gap: 1rem; align-items: stretch; }
.verdict-main { display: flex; gap: 1rem; align-items: center; padding: 1rem 1.25rem; border-radius: 10px; border: 1px solid; border-left-width: 6px; background: var(--idle-ground); border-color: var(--idle); min-height: 6.5rem; }
.verdict-main > div { min-width: 0; }
.verdict-main h1 { color: var(--tone, var(--text)); overflow-wrap: anywhere; }
.verdict-main .facts { color: var(--text); margin-top: 0.25rem; font-size: 0.875rem; }
.glyph { flex: none; width: 2rem; height: 2rem; background: var(--idle); clip-path: circle(50%); }
[data-status="healthy"] .verdict-main { background: var(--good-ground); border-color: var(--good); --tone: var(--good); }
[data-status="degraded"] .verdict-main { background: var(--warn-ground); border-color: var(--warn); --tone: var(--warn); }
[data-status="critical"] .verdict-main, [data-status="unhealthy"] .verdict-main { background: var(--bad-ground); border-color: var(--bad); --tone: var(--bad); }
.verdict .glyph { width: 2.75rem; height: 2.75rem; background: var(--tone, var(--idle)); }
/* Shapes tell what colours tell: a disc with a tick, a triangle, an octagon. */
[data-status="healthy"] .verdict .glyph { clip-path: polygon(14% 52%, 26% 40%, 42% 56%, 76% 20%, 88% 32%, 42% 80%); }
[data-status="degraded"] .verdict .glyph, [data-tone="warn"] > .glyph { clip-path: polygon(50% 4%, 100% 94%, 0 94%); }
[data-status="critical"] .verdict .glyph, [data-status="unhealthy"] .verdict .glyph, [data-tone="bad"] > .glyph { clip-path: polygon(30% 0, 70% 0, 100% 30%, 100% 70%, 70% 100%, 30% 100%, 0 70%, 0 30%); }
.tiles { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 0.5rem; }
.tiles > div { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 0.75rem 0.875rem; display: flex; flex-direction: column; justify-content: space-between; min-height: 4.5rem; }
.tiles dt { color: var(--dim); font-size: 0.8125rem; }
.tiles dd { font-size: 1.375rem; white-space: nowrap; font-weight: 650; line-height: 1.15; }
.tiles dd small { font-size: 0.8125rem; display: block; white-space: nowrap; }
.tiles small output { font-weight: 400; }
.tiles output[data-tone="bad"] { color: var(--bad); }
.tiles.small > div { background: var(--raised); border-color: transparent; }
.tiles.small dd { font-size: 1.125rem; }

/* Problems and changes */
.problems > li { display: flex; gap: 0.875rem; padding: 0.75rem 0.875rem; border-radius: 8px; margin-bottom: 0.5rem; }
.problems > li > div { flex: 1 1 auto; min-width: 0; }
.problems .glyph { width: 1.25rem; height: 1.25rem; margin-top: 0.1rem; }
.problems > [data-tone="bad"] { background: var(--bad-ground); } .problems > [data-tone="bad"] .glyph { background: var(--bad); }
.problems > [data-tone="warn"] { background: var(--warn-ground); } .problems > [data-tone="warn"] .glyph { background: var(--warn); }
.problem-head { display: flex; flex-wrap: wrap; gap: 0 0.75rem; align-items: baseline; justify-content: space-between; }
.problems small { color: var(--text); }
.todo { margin-top: 0.25rem; }
.components { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin-top: 0.75rem; font-size: 0.8125rem; color: var(--dim); }
.components > li { display: flex; align-items: center; gap: 0.4rem; }
.dot { flex: none; width: 0.6rem; height: 0.6rem; border-radius: 50%; background: var(--idle); }
[data-tone="good"] > .dot { background: var(--good); }
[data-tone="warn"] > .dot { background: var(--warn); border-radius: 0; clip-path: polygon(50% 0, 100% 100%, 0 100%); }
[data-tone="bad"] > .dot { background: var(--bad); border-radius: 1px; }
.components > [data-tone="warn"], .components > [data-tone="bad"] { color: var(--text); font-weight: 600; }
.changes { max-height: 17rem; overflow-y: auto; font-size: 0.875rem; }
.changes > li { display: grid; grid-template-columns: 5.75rem 0.75rem minmax(0, 1fr); gap: 0.5rem; padding: 0.3rem 0; border-top: 1px solid var(--line); }
.changes > li:first-child { border-top: 0; }
.changes time { color: var(--dim); white-space: nowrap; }
.changes .dot { margin-top: 0.4rem; }

/* Providers */
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17.5rem), 1fr)); gap: 0.75rem; }
.card { border: 1px solid var(--line); border-top: 4px solid var(--good); border-radius: 8px; padding: 0.75rem 0.875rem; display: flex; flex-direction: column; gap: 0.5rem; background: var(--surface); }
.card[data-tone="warn"] { border-top-color: var(--warn); }
.card[data-tone="bad"] { border-top-color: var(--bad); }
.card[data-tone="idle"] { border-top-color: var(--idle); }
.card-head { display: flex; align-items: flex-start; justify-content: space-between; gap: 0.5rem; }
.card-head h3 { min-width: 0; overflow-wrap: anywhere; }
.card-head code { color: var(--dim); font-weight: 400; }
.message:empty { display: none; }
.badge { display: inline-block; padding: 0.1rem 0.5rem; border-radius: 4px; font-size: 0.8125rem; font-weight: 600; white-space: nowrap; background: var(--idle-ground); color: var(--idle); }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.warn { background: var(--warn-ground); color: var(--warn); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.badge.refused { background: var(--refused-ground); color: var(--refused); }
.bar-track { display: flex; height: 0.625rem; border-radius: 3px; background: var(--raised); overflow: hidden; margin-top: 0.25rem; border: 1px solid var(--line); }
.bar-fill { background: var(--s0); } .bar-queue { background: repeating-linear-gradient(135deg, var(--s2) 0 4px, transparent 4px 7px); }
.bar-track[data-full="high"] .bar-fill { background: var(--warn); }
.bar-track[data-full="full"] .bar-fill { background: var(--bad); }
.card .facts { font-size: 0.8125rem; display: grid; gap: 0.1rem; }
.facts > div { display: flex; gap: 0.5rem; }
.card .facts dt { width: 4.25rem; flex: none; }
.facts dt { color: var(--dim); }
.facts dd { min-width: 0; overflow-wrap: anywhere; }
.chips { display: flex; flex-wrap: wrap; gap: 0.3rem; font-size: 0.8125rem; }
.chips > li { padding: 0.05rem 0.45rem; border-radius: 4px; background: var(--raised); max-width: 100%; overflow-wrap: anywhere; }
.chips > .none { background: none; color: var(--dim); padding: 0; }
.box.warn { background: var(--warn-ground); border-radius: 6px; padding: 0.5rem 0.625rem; font-size: 0.8125rem; overflow-wrap: anywhere; }
.box.warn p:first-child { font-weight: 600; }
.last-error { font-size: 0.8125rem; color: var(--bad); overflow-wrap: anywhere; }
.card > small { margin-top: auto; }
.card > button { align-self: flex-start; }

/* Charts */
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1rem 1.25rem; margin-bottom: 1.25rem; }
.chart { position: relative; min-width: 0; }
.chart figcaption { display: flex; gap: 0.5rem; align-items: baseline; }
.chart .when { margin-left: auto; font-size: 0.8125rem; color: var(--dim); }
.chart-title { font-weight: 600; }
.chart svg { display: block; touch-action: pan-y; }
.chart .empty { position: absolute; top: 5rem; left: 4rem; right: 0; text-align: center; }
.grid line { stroke: var(--line); } .grid text { fill: var(--dim); font-size: 11px; }
.line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
.line.faint { stroke-width: 1.25; stroke-dasharray: 2 3; }
.area { stroke: none; fill-opacity: 0.85; }
.hair { stroke: var(--text); stroke-dasharray: 2 2; }
.mark { stroke: var(--idle); stroke-dasharray: 1 3; } .mark.warn { stroke: var(--warn); } .mark.bad { stroke: var(--bad); } .mark.good { stroke: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 0.9rem; font-size: 0.8125rem; min-height: 1.4rem; padding-left: 0.25rem; }
.legend li { display: flex; align-items: center; gap: 0.35rem; color: var(--dim); }
.legend b { color: var(--text); font-weight: 600; min-width: 3.2em; }
.swatch { width: 0.75rem; height: 0.75rem; border-radius: 2px; background: currentColor; }
.swatch.faint { height: 0; border-radius: 0; background: none; border-top: 2px dotted currentColor; }
.s0 { stroke: var(--s0); fill: var(--s0); } .s1 { stroke: var(--s1); fill: var(--s1); } .s2 { stroke: var(--s2); fill: var(--s2); }
.s3 { stroke: var(--s3); fill: var(--s3); } .s4 { stroke: var(--s4); fill: var(--s4); } .s5 { stroke: var(--s5); fill: var(--s5); } .s6 { stroke: var(--s6); fill: var(--s6); }
.host-line { stroke: var(--idle); }
.outcome-complete { fill: var(--good); } .outcome-truncated { fill: var(--warn); } .outcome-cancelled { fill: var(--idle); } .outcome-failed { fill: var(--bad); } .outcome-refused { fill: var(--refused); }
.swatch.s0 { color: var(--s0); } .swatch.s1 { color: var(--s1); } .swatch.s2 { color: var(--s2); } .swatch.s3 { color: var(--s3); } .swatch.s4 { color: var(--s4); } .swatch.s5 { color: var(--s5); } .swatch.s6 { color: var(--s6); }
.swatch.host-line { color: var(--idle); }
.swatch.outcome-complete { color: var(--good); } .swatch.outcome-truncated { color: var(--warn); } .swatch.outcome-cancelled { color: var(--idle); } .swatch.outcome-failed { color: var(--bad); } .swatch.outcome-refused { color: var(--refused); }
.line.line { fill: none; }

/* Tables */
.scroll { overflow-x: auto; margin: 0 -0.25rem; padding: 0 0.25rem; position: relative; }
.scroll.tall { max-height: 30rem; overflow-y: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
th, td { padding: 0.35rem 0.75rem 0.35rem 0; text-align: left; vertical-align: baseline; border-top: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--dim); font-size: 0.8125rem; border-top: 0; white-space: nowrap; }
th.number { text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:hover { background: var(--raised); }
tbody th { white-space: nowrap; font-family: var(--mono); font-size: 0.8125rem; }
.totals tbody th { font-family: inherit; }
.totals tbody tr:first-child > * { font-weight: 650; }
#traffic h3 { margin: 1rem 0 0.35rem; }
#requests h3 { margin-bottom: 0.35rem; }
#requests .heading { margin: 1.25rem 0 0.35rem; }
.why { max-width: 26rem; overflow-wrap: anywhere; }
.wide { width: 30%; }
.course { display: block; width: 100%; min-width: 9rem; height: 18px; background: var(--raised); border-radius: 3px; }
.key { font-size: 0.8125rem; color: var(--dim); display: flex; flex-wrap: wrap; gap: 0.1rem 0.9rem; margin-bottom: 0.35rem; }
.k { display: inline-block; width: 1rem; height: 0.625rem; border-radius: 2px; margin-right: 0.35rem; }
.queued { fill: var(--refused); } .waiting { fill: var(--s2); } .answering { fill: var(--s0); } .gap { fill: var(--bad); } .paused { fill: var(--idle); }
.k.queued { background: var(--refused); } .k.waiting { background: var(--s2); } .k.answering { background: var(--s0); } .k.gap { background: var(--bad); } .k.paused { background: var(--idle); }
.phase { white-space: nowrap; font-weight: 600; }
.phase.queued { color: var(--refused); } .phase.waiting, .phase.connected { color: var(--warn); } .phase.answering, .phase.thinking { color: var(--s0); } .phase.paused { color: var(--bad); }

/* Forms, buttons and dialogs */
button, select, input:not([type="radio"]) { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--dim); border-radius: 6px; padding: 0.35rem 0.75rem; min-height: 2.25rem; }
button { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; }
button.quiet { background: none; color: var(--text); border-color: var(--dim); font-weight: 400; }
button.danger { background: var(--bad); border-color: var(--bad); color: var(--surface); }
button:disabled { opacity: 0.6; cursor: default; }
.segments { display: flex; border: 1px solid var(--dim); border-radius: 6px; padding: 0; margin: 0; overflow: hidden; }
.segments label { position: relative; }
.segments input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.segments span { display: block; padding: 0.35rem 0.7rem; font-size: 0.875rem; }
.segments label + label span { border-left: 1px solid var(--line); }
.segments input:checked + span { background: var(--accent); color: var(--on-accent); font-weight: 600; }
.segments input:focus-visible + span { outline: 3px solid var(--text); outline-offset: -4px; border-radius: 4px; }
.login { max-width: 26rem; margin: 12vh auto 0; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1.5rem; }
.login h1, .login p { margin-bottom: 0.75rem; }
.login form { display: grid; gap: 0.5rem; }
.error { color: var(--bad); }
.login .error { min-height: 1.45em; margin: 0; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.operate { margin-top: 1rem; } .operate h3 { margin-bottom: 0.35rem; }
details { margin-top: 1rem; border-top: 1px solid var(--line); padding-top: 0.75rem; }
summary { cursor: pointer; font-weight: 600; }
pre { margin: 0.75rem 0 0; padding: 0.875rem; background: var(--raised); border-radius: 6px; overflow: auto; max-height: 32rem; font: 0.8125rem/1.5 var(--mono); }
details p { margin: 0.5rem 0; }
dialog { border: 1px solid var(--line); border-radius: 10px; background: var(--surface); color: var(--text); padding: 1.25rem; width: min(46rem, calc(100vw - 2rem)); max-height: calc(100vh - 2rem); overflow: auto; }
dialog::backdrop { background: rgb(6 10 16 / 0.6); }
#ask-dialog { width: min(30rem, calc(100vw - 2rem)); }
#ask-dialog p, #ask-dialog ul { margin-bottom: 0.75rem; }
#ask-lines { font-family: var(--mono); font-size: 0.8125rem; overflow-wrap: anywhere; }
.dialog-head { display: flex; align-items: flex-start; justify-content: space-between; gap: 1rem; }
.dialog-head h2 { overflow-wrap: anywhere; }
.wide-facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.5rem 1rem; margin: 0.875rem 0; }
.wide-facts > div { display: block; }
.wide-facts dt { font-size: 0.8125rem; }
.waterfall { display: block; width: 100%; height: 84px; background: var(--raised); border-radius: 6px; }
.tick { stroke: var(--text); stroke-width: 1.5; vector-effect: non-scaling-stroke; } .tick.bad { stroke: var(--bad); stroke-width: 3; } .tick.warn { stroke: var(--warn); stroke-width: 3; }
.gap-bar { fill: var(--dim); } .gap-bar.long { fill: var(--bad); }
.scale { display: flex; justify-content: space-between; gap: 0.5rem; font-size: 0.8125rem; color: var(--dim); margin-bottom: 0.75rem; }
.events { max-height: 18rem; overflow-y: auto; font-size: 0.875rem; }
.events > li { display: grid; grid-template-columns: 5rem 9rem minmax(0, 1fr); gap: 0.75rem; padding: 0.3rem 0 0.3rem 0.5rem; border-left: 3px solid var(--line); }
.events > .bad { border-color: var(--bad); } .events > .warn { border-color: var(--warn); } .events > .good { border-color: var(--good); }
.events .number { color: var(--dim); }
.events span:last-child { overflow-wrap: anywhere; }

@media (max-width: 64rem) {
  .verdict { grid-template-columns: minmax(0, 1fr); }
  .verdict-main { min-height: 0; }
}
@media (max-width: 48rem) {
  .columns { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 40rem) {
  .bar-inner { flex-wrap: wrap; gap: 0 1rem; height: auto; padding: 0.5rem 1rem 0; }
  .bar nav { order: 9; flex: 1 0 100%; margin: 0.15rem -1rem 0; padding: 0 0.5rem 0.25rem; }
  main { padding: 0.75rem 0.75rem 5rem; }
  html { scroll-padding-top: 6rem; }
  h1 { font-size: 1.25rem; }
  #content > section { margin-top: 0.75rem; }
  #content > section:not(.verdict) { padding: 0.875rem; }
  .verdict { gap: 0.75rem; }
  .verdict-main { padding: 0.875rem; }
  .verdict .glyph { width: 2.25rem; height: 2.25rem; }
  .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .tiles > div { padding: 0.55rem 0.625rem; min-height: 4rem; }
  .tiles dd { font-size: 1.25rem; }
  .wide-facts { grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: 0.35rem 0.75rem; }
  .changes { max-height: 12rem; }
  .changes > li { grid-template-columns: 5.25rem 0.75rem minmax(0, 1fr); }
  .less { display: none; }
  .requests, .requests tbody { display: block; }
  .requests thead { display: none; }
  .requests tr { display: grid; grid-template-columns: minmax(0, 1fr) auto auto; gap: 0.15rem 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); }
  .requests tr > * { border: 0; padding: 0; }
  .requests th { overflow: hidden; text-overflow: ellipsis; }
  .requests .where { grid-row: 2; grid-column: 1 / 3; } .requests .state { grid-column: 2; text-align: right; } .requests .when { grid-column: 3; }
  .requests .took { grid-row: 2; grid-column: 3; }
  .requests .wide { grid-row: 3; grid-column: 1 / 4; width: auto; max-width: none; }
  .events > li { grid-template-columns: 4.5rem minmax(0, 1fr); }
  .events span:last-child { grid-column: 2; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  .glyph, .dot, .bar-fill, .bar-queue, .course rect, .swatch { forced-color-adjust: none; }
}

"""##),
"/page.js": Asset(type: "text/javascript; charset=utf-8", tag: #""36d154bf53af1e8fc17dac41acf438be""#, text: ##"""
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

"""##),
  ]
}
