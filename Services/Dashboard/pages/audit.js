// The audit log: who did what, when and from where, and what came of it.

import { h, show, wire } from "../app/dom.js";
import { localTime, moment } from "../app/format.js";
import { action, choice, empty, failed, field, loading, moreButton, pageHead, table, tableRow } from "../app/ui.js";

export const title = "Audit";
export const isForAdmins = true;

const PAGE = 50;
/** What can be asked for by itself, as the API has it; anything newer is shown by the API's own word. */
const ACTIONS = {
  "login": "Login",
  "authentication": "Proof refused",
  "token.renewed": "Token renewed",
  "connection.opened": "Connected",
  "connection.closed": "Disconnected",
  "subscription.begun": "Subscribed",
  "subscription.ended": "Unsubscribed",
  "command.requested": "Command sent",
  "command.settled": "Command settled",
  "request": "Request refused",
  "configuration.changed": "Settings changed",
  "alarm.acknowledged": "Alarm acknowledged",
};
const RESULTS = { done: "Done", refused: "Refused", failed: "Failed" };
const TONES = { done: "good", refused: "warn", failed: "bad" };
const COLUMNS = ["When", "Who", "What", "Appliance", "Result", "From", "Detail"];

/**
 * @param {import("../app/main.js").Context} context
 * @param {Element} place
 * @param {string[]} path nothing
 * @param {URLSearchParams} query the filters, named as the API names them
 */
export async function mount({ api, fleet, signal }, place, path, query) {
  await fleet.load();
  if (signal.aborted) return;
  const filters = makeFilters(query);
  const list = table(COLUMNS, [], { caption: "Audit log" });
  list.querySelector("table").classList.add("audit");
  const rows = list.querySelector("tbody");
  const foot = h("div", {});
  /** The filters of what is shown: a cursor belongs to one question. */
  let wanted;
  let cursor;

  async function more() {
    const mine = wanted;
    const { entries, next_cursor } = await api.ask("GET", "/v1/audit", { query: { ...mine, limit: PAGE, cursor }, signal });
    if (mine !== wanted) return;
    rows.append(...entries.map((entry) => tableRow(COLUMNS, cells(entry, fleet))));
    cursor = next_cursor;
    list.hidden = rows.childElementCount === 0;
    show(foot, cursor !== null ? moreButton(more) : list.hidden && (Object.keys(mine).length > 0
      ? empty("Nothing matches", "Nothing that was noted passes all of these filters.")
      : empty("Nothing was noted yet", "Logins, connections, commands and changes of settings are kept here.")));
  }
  async function reload() {
    const mine = filters.read();
    [wanted, cursor] = [mine, undefined];
    // The address says what is shown, so that it can be kept and passed on.
    const search = new URLSearchParams(mine).toString();
    history.replaceState(null, "", `#/audit${search && `?${search}`}`);
    show(rows);
    list.hidden = true;
    show(foot, loading());
    try {
      await more();
    } catch (error) {
      if (mine === wanted && !signal.aborted) show(foot, failed(error, reload));
    }
  }
  const clear = h("button", { type: "button", onclick: () => { filters.clear(); reload(); } }, "Clear");
  const form = h(
    "form",
    { class: "audit-filters", role: "search", "aria-label": "Audit log", onchange: reload, onsubmit: (event) => event.preventDefault() },
    filters.fields,
    h("div", { class: "row" }, clear, action("Refresh", reload)),
  );
  show(
    place,
    pageHead("Audit", "Who did what, when and from where, and what came of it, newest first."),
    h("section", { class: "card flush" }, h("header", {}, h("h2", { class: "unseen" }, "Entries"), form), list, foot),
  );
  reload();
}

/** @param {URLSearchParams} query */
function makeFilters(query) {
  const text = (name, placeholder) => h("input", { name, placeholder, value: query.get(name) ?? "", maxLength: 255, spellcheck: false });
  const time = (name) => h("input", { name, type: "datetime-local", value: localTime(query.get(name)) });
  const inputs = {
    user_id: text("user_id", "A user's id"),
    appliance_id: text("appliance_id", "An appliance's id"),
    action: choice({ "": "Anything", ...ACTIONS }, query.get("action") ?? "", { name: "action" }),
    result: choice({ "": "Any", ...RESULTS }, query.get("result") ?? "", { name: "result" }),
    from: time("from"),
    to: time("to"),
  };
  const names = { user_id: "Who", appliance_id: "Appliance", action: "What", result: "Result", from: "From", to: "Until" };
  const isTime = (name) => name === "from" || name === "to";
  return {
    fields: Object.entries(inputs).map(([name, input]) => field(names[name], input)),
    /** Those that are set, as the API wants them. */
    read: () => Object.fromEntries(Object.entries(inputs)
      .map(([name, { value }]) => [name, isTime(name) && value ? new Date(value).toISOString() : value.trim()])
      .filter(([, value]) => value !== "")),
    clear() {
      for (const input of Object.values(inputs)) input.value = "";
    },
  };
}

function cells({ at, service, action: what, result, user_id, appliance_id, command_id, address, detail, count }, fleet) {
  const appliance = appliance_id === null ? "" : wire(appliance_id, 64);
  return [
    h("time", { class: "number", dateTime: at, title: at }, moment(at)),
    user_id === null ? "" : wire(user_id, 64),
    [h("span", {}, ACTIONS[what] ?? wire(what, 64)), count > 1 && h("span", { class: "muted number" }, ` × ${count}`)],
    fleet.appliances.has(appliance_id) ? h("a", { href: `#/appliances/${encodeURIComponent(appliance_id)}` }, appliance) : appliance,
    h("span", { class: `badge ${TONES[result] ?? ""}` }, RESULTS[result] ?? wire(result, 40)),
    h("span", {}, wire(address ?? "", 64), " ", h("span", { class: "muted small" }, wire(service, 64))),
    detail === "" && command_id === null ? "" : h("span", {},
      wire(detail, 300), command_id !== null && h("span", { class: "muted small line" }, "command ", wire(command_id, 64))),
  ];
}
