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
