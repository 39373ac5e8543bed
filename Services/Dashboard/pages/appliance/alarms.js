// The alarms of one appliance, and what rules have fired at it.

import { h, show, wire } from "../../app/dom.js";
import { moment, number } from "../../app/format.js";
import { empty, showLoaded, table } from "../../app/ui.js";
import { AlarmList } from "../alarms/list.js";

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountAlarms(context, place) {
  const { api, appliance, path, signal } = context;
  const list = new AlarmList(context, `${path}/alarms`, appliance.id);
  const firings = h("div", {});
  show(place, h("div", { class: "stack" }, h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Alarms")), list.element),
    h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Rules that fired")), firings)));
  list.reload("");
  await showLoaded(
    firings,
    () => api.ask("GET", `${path}/firings`, { query: { limit: 50 }, signal }),
    ({ firings: all }) => all.length === 0
    ? empty("No rule has fired", "Rules that watch this appliance are listed here when they fire.")
    : table(
      ["Rule", "When", "Severity", "Metric", "Value"],
      all.map(({ rule_id, fired_at, severity, metric, value }) => [
        wire(rule_id, 64),
        moment(fired_at),
        severity,
        wire(metric ?? "–", 80),
        number(value),
      ]),
      { caption: "Firings", numbers: [4] },
    ),
    signal);
}
