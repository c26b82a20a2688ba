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
