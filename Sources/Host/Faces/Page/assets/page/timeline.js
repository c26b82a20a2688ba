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
