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
