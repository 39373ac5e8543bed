// All appliances at a glance, live.

import { DIALECTS, dialectName, stateOf } from "../app/dialects.js";
import { clip, h, perFrame, setText, show, wire } from "../app/dom.js";
import { ago } from "../app/format.js";
import { choice, empty, field, pageHead } from "../app/ui.js";

export const title = "Fleet";

/** How often what depends on time alone is looked at. */
const TICK_MS = 2_000;
/** Ten times a second is as fast as anybody reads hundreds of rows. */
const DRAW_MS = 100;

const GROUPS = { all: "All", active: "Active", good: "Ready", bad: "Attention", off: "Away" };

/** @param {import("../app/main.js").Context} context @param {Element} place */
export async function mount({ fleet, signal }, place) {
  await fleet.load();
  const rows = new Map();
  const wanted = { text: "", dialect: "", group: "all" };
  const count = h("p", { class: "about", role: "status" });
  const body = h("tbody");
  const none = h("div", { hidden: true });
  const tiles = Object.fromEntries(Object.entries(GROUPS).map(([group, text]) => [group, tile(text, () => {
    wanted.group = group;
    arrange();
  })]));
  const search = h("input", { type: "search", placeholder: "Name or id", oninput: () => {
    wanted.text = search.value.trim().toLowerCase();
    arrange();
  } });
  const dialects = choice({ "": "All kinds", ...DIALECTS }, "", { onchange: () => {
    wanted.dialect = dialects.value;
    arrange();
  } });

  const isWanted = ({ id, name, dialect }, state) =>
    (wanted.group === "all" || groupOf(state) === wanted.group) && (!wanted.dialect || dialect === wanted.dialect) &&
    (!wanted.text || name.toLowerCase().includes(wanted.text) || id.toLowerCase().includes(wanted.text));

  /** Brings rows up to date, all of them unless some are named, and shows those that are wanted. */
  function arrange(changed = rows.keys()) {
    const now = Date.now();
    for (const id of changed) rows.get(id)?.update(fleet.appliances.get(id), stateOf(fleet.appliances.get(id), now));
    const sums = { all: rows.size, active: 0, good: 0, bad: 0, off: 0 };
    let shown = 0;
    for (const [id, { element, state }] of rows) {
      sums[groupOf(state)] += 1;
      element.hidden = !isWanted(fleet.appliances.get(id), state);
      shown += Number(!element.hidden);
    }
    for (const [group, { element, number }] of Object.entries(tiles)) {
      setText(number, sums[group]);
      element.setAttribute("aria-pressed", String(group === wanted.group));
    }
    setText(count, shown === rows.size ? `${rows.size} appliances` : `${shown} of ${rows.size} appliances`);
    none.hidden = shown > 0;
    if (shown > 0) return;
    show(none, rows.size === 0
      ? empty("No appliances yet", "They are registered with martletctl apply, or through the API, and then appear here.")
      : empty("Nothing matches", "No appliance has this name, kind and state at once."));
  }

  function rebuild() {
    rows.clear();
    for (const appliance of fleet.appliances.values()) rows.set(appliance.id, makeRow(appliance));
    show(body, [...rows.values()].map(({ element }) => element));
    arrange();
  }

  const changed = new Set();
  const refresh = perFrame(() => {
    arrange(changed);
    changed.clear();
  }, signal, DRAW_MS);
  fleet.onchange(undefined, ({ id }) => {
    changed.add(id);
    refresh();
  }, signal);
  fleet.addEventListener("list", rebuild, { signal });
  const timer = setInterval(arrange, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  rebuild();

  const head = pageHead("Fleet");
  head.firstElementChild.append(count);
  show(
    place,
    head,
    h("div", { class: "tiles", role: "group", "aria-label": "By state" }, Object.values(tiles).map(({ element }) => element)),
    h("section", { class: "card flush" },
      h("header", {},
        h("h2", { class: "unseen" }, "Appliances"),
        h("div", { class: "filters" }, field("Search", search), field("Kind", dialects)),
      ),
      h("table", { class: "fleet stacks" }, h("caption", { class: "unseen" }, "Appliances"),
        h("thead", {}, h("tr", {}, ["Appliance", "Kind", "State", "Now", "Heard"].map((name) => h("th", { scope: "col" }, name)))), body),
      none));
  performance.mark("fleet shown");
}

/** @param {import("../app/dialects.js").State} state */
const groupOf = ({ tone }) => (tone === "warn" ? "bad" : tone);

function tile(text, onclick) {
  const number = h("b", { class: "number" });
  return { number, element: h("button", { type: "button", class: "tile", onclick }, number, h("span", {}, text)) };
}

/** A row whose texts are set where they stand: at fifty events a second nothing is built anew. */
function makeRow({ id, name, dialect }) {
  const badge = h("span", { class: "badge off" }, h("bdi"));
  const [detail, heard] = [h("bdi", { class: "number" }), h("span", { class: "muted number" })];
  const element = h("tr", {},
    h("td", {},
      h("a", { class: "name", href: `#/appliances/${encodeURIComponent(id)}` }, wire(name, 60)),
      name !== id && h("span", { class: "muted small" }, wire(id, 64)),
    ),
    h("td", { data: { label: "Kind" } }, dialectName(dialect)), h("td", { data: { label: "State" } }, badge),
    h("td", { data: { label: "Now" } }, detail), h("td", { data: { label: "Heard" } }, heard));
  return {
    element,
    state: undefined,
    update(appliance, state) {
      this.state = state;
      badge.className = `badge ${state.tone}`;
      setText(badge.firstChild, clip(state.word, 40));
      setText(detail, clip(state.detail, 80));
      setText(heard, ago(appliance.heardAt));
    },
  };
}
