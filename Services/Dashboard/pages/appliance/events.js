// What happened, newest first: the stored events, and the live ones as they come.

import { compareIDs } from "../../martlet/seen.js";
import { clip, h, perFrame, show, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { eventName, moment } from "../../app/format.js";
import { action, check, choice, empty, failed, field, loading } from "../../app/ui.js";

const PAGE = 50;
/** Live events are kept up to so many; further ones push the oldest out. */
const SHOWN_MAX = 500;
const DATA_MAX = 20_000;
const REPEATED = new Set(["cooking:progress", "reefnet:status", "system.status", "mission.progress"]);
const isRepeated = (type) => REPEATED.has(type) || /^telemetry([.:]|$)/.test(type);

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountEvents(context, place) {
  const { api, fleet, appliance, path, signal } = context;
  const rows = h("ol", { class: "timeline" });
  const foot = h("div", {});
  const waiting = [];
  /** The ids of the rows. */
  const shown = new Set();
  let cursor;
  let type = "";
  let hidesRepeated = true;

  const isWanted = (event) => (type ? event.type === type : !hidesRepeated || !isRepeated(event.type));
  /** Rows for what is wanted and not there yet. */
  const draw = (events) => events.filter((event) => isWanted(event) && !shown.has(event.id)).map((event) => {
    if (event.id) shown.add(event.id);
    return drawEvent(event);
  });
  const insert = perFrame(() => {
    rows.prepend(...draw(waiting.splice(0)).reverse());
    while (rows.childElementCount > SHOWN_MAX) {
      shown.delete(rows.lastElementChild.dataset.id);
      rows.lastElementChild.remove();
    }
    if (rows.childElementCount > 0) foot.querySelector(".empty")?.remove();
  }, signal);
  fleet.onevent(appliance.id, (event) => {
    if (waiting.length < SHOWN_MAX) waiting.push(event);
    insert();
  }, signal);

  async function more() {
    // What comes again and again would fill every page: several are asked for, until there is something to see.
    for (let pages = 0; pages < 6; pages += 1) {
      const query = { order: "newest_first", limit: type ? PAGE : 4 * PAGE, type: type || undefined, cursor };
      const page = await api.ask("GET", `${path}/events`, { query, signal });
      // The newest may not be stored yet, but were heard live.
      const newest = page.events[0]?.id ?? "";
      const unstored = cursor ? [] : appliance.recent.filter(({ id }) => id && compareIDs(id, newest) > 0).reverse();
      rows.append(...draw([...unstored, ...page.events]));
      cursor = page.next_cursor;
      if (cursor === null || rows.childElementCount >= PAGE) break;
    }
    const nothing = rows.childElementCount === 0 && empty("Nothing happened yet", "Events appear here as they come.");
    show(foot, cursor !== null ? h("div", { class: "row more" }, action("Show older", more)) : nothing);
  }
  async function reload() {
    show(rows);
    shown.clear();
    show(foot, loading());
    cursor = undefined;
    try {
      await more();
    } catch (error) {
      if (!signal.aborted) show(foot, failed(error, reload));
    }
  }
  const types = choice([["", "All types"], ...[...appliance.latest.keys()].sort().map((name) => [
    name,
    clip(name, 64),
  ])], "", { onchange: () => {
    type = types.value;
    reload();
  } });
  const repeated = check("Hide what is told again and again", { checked: true, onchange: ({ target }) => {
    hidesRepeated = target.checked;
    reload();
  } });
  show(
    place,
    h("section", { class: "card flush" },
      h("header", {}, h("h2", { class: "unseen" }, "Events"), h("div", { class: "filters" }, field("Type", types), repeated)),
      rows,
      foot,
    ),
  );
  await reload();
}

function toneOf(type) {
  if (/error|alarm|estop|failed/.test(type)) return "bad";
  if (/alert|zone/.test(type)) return "warn";
  return type.startsWith("command:") ? "active" : "";
}

function drawEvent(event) {
  const tone = toneOf(event.type);
  const { message, recipe_name, stage_name, status, code, type, zone_id, module_id, mission_id } = event.data;
  const next = event.data.next_stage?.name;
  const alarm = event.data.payload?.message;
  const about = [
    next,
    alarm,
    message,
    recipe_name,
    stage_name,
    status,
    code,
    zone_id,
    module_id,
    mission_id,
    event.type.startsWith("command:") ? type : undefined,
  ].find((text) => typeof text === "string");
  return h("li", { class: tone, data: event.id ? { id: event.id } : {} }, h("details", {}, h(
    "summary",
    {},
    h("time", { class: "number muted", dateTime: new Date(receivedAt(event)).toISOString() }, moment(receivedAt(event))),
    h("b", {}, wire(eventName(event.type), 64)), h("span", { class: "muted" }, wire(about ?? "", 140))),
  h("dl", { class: "facts left" },
    h("dt", {}, "Type"),
    h("dd", {}, wire(event.type, 64)),
    h("dt", {}, "The device's time"),
    h("dd", {}, wire(event.timestamp, 40)),
    h("dt", {}, "In the log"),
    h("dd", {}, wire(event.id ?? "not stored", 45)),
  ),
  h("pre", { tabIndex: 0 }, clip(JSON.stringify(event.data, null, 2), DATA_MAX))));
}
