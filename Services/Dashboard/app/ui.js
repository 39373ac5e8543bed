// Parts that several pages use.

import { h, show, wire } from "./dom.js";
import { icon } from "./icons.js";

const NOTICE_MS = 6_000;
const NOTICES_MAX = 4;

/** @param {import("./dialects.js").State} state */
export const badge = ({ word, tone }) => h("span", { class: `badge ${tone}` }, wire(word, 40));

/** A page's head: what it is, and what can be done here. */
export const pageHead = (title, about, ...actions) =>
  h("div", { class: "page-head" },
    h("div", {}, h("h1", {}, title), about && h("p", { class: "about" }, about)),
    actions.length > 0 && h("div", { class: "row" }, actions),
  );

/** @param {string | Node} title */
export const card = (title, ...children) => h("section", { class: "card" }, title && h("header", {}, h("h2", {}, title)), children);

/** Something of which there is nothing yet: what it would be, and what brings it. */
export const empty = (title, hint, ...actions) => h("div", { class: "empty" },
  icon("nothing"),
  h("h2", {}, title),
  h("p", {}, hint),
  actions,
);

export const loading = () => h("div", { class: "loading", role: "status" },
  h("span"),
  h("span"),
  h("span"),
  h("p", { class: "unseen" }, "Loading"),
);

/**
 * What went wrong, and a way to try again.
 * @param {Error} error
 * @param {() => void} [again]
 */
export const failed = (error, again) =>
  h("div", { class: "empty", role: "alert" },
    icon("warning"),
    h("h2", {}, "This could not be loaded"),
    h("p", {}, wire(error.message, 400)),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );

/** Why a page is not shown to somebody. @param {string} title @param {{ id: string, role: string }} me */
export const forAdmins = (title, { id, role }) => [
  pageHead(title),
  h("section", { class: "card" }, empty("For admins", [
    "You are signed in as ", h("b", {}, wire(id, 64)), `, ${role}. This page is for the role admin, which an admin can give you.`,
  ])),
];

/**
 * Shows what is to be had, from the first moment on: loading, then the content, or why there is none and a way to ask again.
 * @template Value
 * @param {Element} place
 * @param {() => Promise<Value>} ask
 * @param {(value: Value) => Node | Node[]} draw
 * @param {AbortSignal} signal
 */
export async function showLoaded(place, ask, draw, signal) {
  show(place, loading());
  try {
    const value = await ask();
    if (!signal.aborted) show(place, draw(value));
  } catch (error) {
    if (!signal.aborted) show(place, failed(error, () => showLoaded(place, ask, draw, signal)));
  }
}

/** Says something that goes away by itself. @param {string} text @param {"plain" | "bad"} [kind] */
export function notice(text, kind = "plain") {
  const place = document.getElementById("notices");
  const node = h("div", { class: `notice ${kind}` }, wire(text, 300));
  while (place.childElementCount >= NOTICES_MAX) place.firstElementChild.remove();
  place.append(node);
  setTimeout(() => node.remove(), NOTICE_MS);
}

/**
 * A button that works while it is busy for nobody else: it is disabled until `work` has ended, and tells what failed.
 * @param {string | Node} text
 * @param {() => Promise<unknown>} work
 * @param {{ class?: string, label?: string }} [options]
 */
export function action(text, work, { class: name = "", label } = {}) {
  const button = h("button", { type: "button", class: name, "aria-label": label, onclick: async () => {
    const hadFocus = document.activeElement === button;
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      notice(error.message, "bad");
    } finally {
      button.disabled = false;
      // What is disabled loses the focus.
      if (hadFocus && document.activeElement === document.body) button.focus();
    }
  } }, text);
  return button;
}

let fields = 0;

/**
 * A labelled field.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  fields += 1;
  input.id ||= `field-${fields}`;
  const about = hint && h("span", { class: "hint", id: `${input.id}-hint` }, hint);
  if (about) input.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { htmlFor: input.id }, label), input, about);
}

/** @param {string} label @param {Record<string, unknown>} [properties] */
export const check = (label, properties = {}) => h("label", { class: "check" },
  h("input", { type: "checkbox", ...properties }),
  h("span", {}, label),
);

/** @param {Record<string, string> | [string, string][]} options value and text @param {string} [value] */
export function choice(options, value, properties = {}) {
  const pairs = Array.isArray(options) ? options : Object.entries(options);
  return h("select", properties, pairs.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
}

/**
 * A form in a dialog. It stays open, with the reason, while `submit` fails.
 * @param {{ title: string, about?: string, body: Node[], go: string, danger?: boolean, submit: (form: HTMLFormElement) => Promise<unknown>
 *   }} options
 */
export function ask({ title, about, body, go, danger = false, submit }) {
  const wrong = h("p", { class: "wrong banner bad", role: "alert", hidden: true });
  const send = h("button", { type: "submit", class: danger ? "danger" : "primary" }, go);
  const form = h("form", { class: "stack", method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await submit(form);
      dialog.close();
    } catch (error) {
      wrong.hidden = false;
      const places = (error.errors ?? []).map(({ place, detail }) => `${place}: ${detail}`);
      show(wrong, wire([error.message, ...places].join(" — "), 600));
    } finally {
      send.disabled = false;
    }
  } },
    h("h2", { id: "dialog-title" }, title), about && h("p", { class: "muted" }, about), body, wrong,
    h("div", { class: "row" }, send, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * A table whose rows become blocks on a narrow screen.
 * @param {string[]} columns
 * @param {Cell[][]} rows
 * @param {{ caption: string, numbers?: number[] }} options `caption` is heard, not seen; `numbers` are columns that stand at the right
 * @typedef {Node | string | (Node | string | false)[]} Cell
 */
export const table = (columns, rows, { caption, numbers = [] }) =>
  h("div", { class: "scroller" }, h("table", { class: "stacks" }, h("caption", { class: "unseen" }, caption),
    h("thead", {},
      h("tr", {}, columns.map((name, place) => h("th", { scope: "col", class: numbers.includes(place) ? "number" : undefined }, name)))
    ),
    h("tbody", {}, rows.map((row) => tableRow(columns, row, numbers)))));

/** A row of such a table. @param {string[]} columns @param {Cell[]} row @param {number[]} [numbers] */
export const tableRow = (columns, row, numbers = []) => h("tr", {}, row.map((cell, place) =>
  h("td", { class: numbers.includes(place) ? "number" : undefined, data: place > 0 && columns[place] ? { label: columns[place] } : {} },
    cell)));

/** A list whose further pages are fetched when asked for. @param {() => Promise<void>} more */
export const moreButton = (more) => h("div", { class: "row more" }, action("Show more", more));
