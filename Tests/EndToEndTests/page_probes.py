"""What tests of the page ask of it in its own language, and how they read a selector of `data-metric` themselves."""

import re

# Every text that is seen, whose contrast with what lies behind it is under 4.5:1 (WCAG 2.2, 1.4.3).
LOW_CONTRAST = """(() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (text.startsWith("color(srgb")) return [...found.slice(0, 3).map((part) => part * 255), found[3] ?? 1];
    return [found[0], found[1], found[2], found[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const low = [];
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(node) || !node.checkVisibility() || node.closest(".unseen, script, noscript, :disabled")) continue;
    seen.add(node);
    const style = getComputedStyle(node);
    const ground = behind(node);
    const ink = over(parse(node instanceof SVGElement ? style.fill : style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${node.tagName}.${node.getAttribute("class") ?? ""} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return { low, texts: seen.size };
})()"""

# Adds up how far things move that nobody has touched: https://wicg.github.io/layout-instability/.
WATCH_SHIFTS = """(() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifts.push([entry.value, ...entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
  }).observe({ type: "layout-shift" });
  return true;
})()"""

# Each number that is one of /metrics: its selector, its raw value and what is written.
NUMBERS = """[...document.querySelectorAll("[data-metric]")].map((node) => (
  { selector: node.dataset.metric, raw: node.dataset.value, text: node.textContent, format: node.dataset.format ?? "count" }))"""

# What has the focus, and whether one sees that it has.
FOCUS = """(() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const mark = node.matches(".segments input") ? node.nextElementSibling : node;
  const style = getComputedStyle(mark);
  const box = node.getBoundingClientRect();
  return { tag: node.tagName, id: node.id, text: (node.getAttribute("aria-label") ?? node.textContent).trim().slice(0, 40),
    isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, isSeen: box.width > 0 && box.bottom > 0 && box.top < innerHeight };
})()"""

KEY = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(key: str) -> tuple[str, dict[str, str]]:
    """The name and labels of a series."""
    name, _, rest = key.partition("{")
    unescape = {"n": "\n"}
    return name, {
        label: re.sub(r"\\(.)", lambda found: unescape.get(found[1], found[1]), value)
        for label, value in KEY.findall(rest)
    }


def pick(values: dict[str, float], selector: str) -> float | None:
    """The sum of the series that have the selector's name and labels; None: there is none."""
    name, wanted = parse(selector)
    found = [
        value for key, value in values.items() if (one := parse(key))[0] == name and wanted.items() <= one[1].items()
    ]
    return sum(found) if found else None


def wrong_numbers(values: dict[str, float], numbers: list[dict]) -> list[str]:
    """Which numbers of the page are not those of `values`."""
    wrong = []
    for number in numbers:
        expected = pick(values, number["selector"])
        raw = float(number["raw"]) if number["raw"] else None
        if raw is None or expected is None:
            is_right = raw is None and expected is None and number["text"] == "–"
        else:
            is_right = abs(raw - expected) <= 1e-9 * max(1, abs(expected))
            if number["format"] == "count" and float(expected).is_integer():
                is_right = is_right and number["text"].replace(",", "") == str(int(expected))
        if not is_right:
            wrong.append(f"{number['selector']}: the page has {number['text']} ({number['raw']}), expected {expected}")
    return wrong
