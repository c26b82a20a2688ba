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
