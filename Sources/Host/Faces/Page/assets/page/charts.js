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
