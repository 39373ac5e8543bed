// The page's elements. Text only ever becomes text: nothing here, and nothing elsewhere, parses markup.

/** What is shown of a text from the wire; nobody needs more of a name. */
const WIRE_MAX = 160;

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `class`, `on…` listeners, `data`, properties of the element, and attributes for what is
 *   none; what is undefined, null or false is left out
 * @param {...(Node | string | number | null | undefined | false | (Node | string | null | undefined | false)[])} children
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element && !(element instanceof SVGElement)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

const nodes = (children) => children.flat(2).filter((child) => child !== null && child !== undefined && child !== false)
  .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));

/**
 * Replaces what is in an element.
 * @param {Element} element
 */
export function show(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/**
 * Puts elements into a list in this order. What is in its place already is not touched, so that it keeps the focus and what is open.
 * @param {Element} list
 * @param {Element[]} elements
 */
export function arrange(list, elements) {
  elements.forEach((element, place) => {
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  });
  while (list.childElementCount > elements.length) list.lastElementChild.remove();
}

/**
 * Sets a text, touching the page only when it is another.
 * @param {Node} node
 * @param {unknown} value
 */
export function setText(node, value) {
  const text = String(value ?? "");
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A text from the wire, cut and kept from turning its neighbours round.
 * @param {unknown} value
 * @param {number} [max]
 */
export const wire = (value, max = WIRE_MAX) => h("bdi", {}, clip(value, max));

/**
 * @param {unknown} value
 * @param {number} [max] characters
 */
export function clip(value, max = WIRE_MAX) {
  const text = typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/**
 * Calls `work` at most once a frame, however often it is asked for, and not behind a hidden tab.
 * @param {() => void} work
 * @param {AbortSignal} signal ends it
 * @param {number} [every_ms] and not more often than this, where nobody could read it
 */
export function perFrame(work, signal, every_ms = 0) {
  let isAsked = false;
  let last = -Infinity;
  const draw = (now) => {
    isAsked = false;
    last = now;
    if (!signal.aborted) work();
  };
  return () => {
    if (isAsked || signal.aborted) return;
    isAsked = true;
    const rest_ms = last + every_ms - performance.now();
    if (rest_ms > 0) setTimeout(() => requestAnimationFrame(draw), rest_ms);
    else requestAnimationFrame(draw);
  };
}

/** What was last shown where. @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/**
 * Replaces what is in an element only when `key` is another than before: what is announced is announced once.
 * @param {Element} element
 * @param {unknown} key
 * @param {() => (Node | null | false)[]} make
 */
export function showOnce(element, key, make) {
  const text = JSON.stringify(key) ?? "";
  if (shown.get(element) === text) return;
  shown.set(element, text);
  show(element, make());
}
