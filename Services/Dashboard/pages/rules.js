// Rules: what is watched for, and what follows.

import { h, show, wire } from "../app/dom.js";
import { plain } from "../app/format.js";
import { empty, pageHead, showLoaded, table } from "../app/ui.js";
import { mountEditor } from "./rules/editor.js";

export const title = "Rules";
export const isForAdmins = true;

/** @param {import("../app/main.js").Context} context @param {Element} place @param {string[]} path a rule's id, or `new` and nothing */
export async function mount(context, place, [verb, id]) {
  if (verb === "new" || verb === "edit") return mountEditor(context, place, id);
  const { api, signal } = context;
  const body = h("section", { class: "card flush" });
  show(
    place,
    pageHead(
      "Rules",
      "Each is checked on every event, and raises alarms, tells webhooks and apps, or sends a command.",
      h("a", { class: "button primary", href: "#/rules/new" }, "New rule…"),
    ),
    body,
  );
  await showLoaded(
    body,
    () => api.all("/v1/rules", "rules"),
    (rules) => rules.length === 0 ? empty("No rules yet", "A rule watches every appliance, or some, for what should not go unseen.")
    : table(["Rule", "Watches for", "Appliances", "Severity", "State"], rules.map((rule) => [
      h("a", { class: "name", href: `#/rules/edit/${encodeURIComponent(rule.id)}` }, wire(rule.name || rule.id, 80)),
      wire(sentence(rule.when), 120),
      wire([...(rule.appliances ?? []), ...(rule.dialects ?? [])].join(", ") || "all", 80), rule.severity ?? "warning",
      h("span", { class: `badge ${rule.enabled === false ? "off" : "good"}` },
        rule.enabled === false ? "disabled" : "enabled"
      )]), { caption: "Rules" }), signal);
}

/** A condition in words. */
export function sentence(when) {
  if (when.event !== undefined) return `event ${when.event}`;
  if (when.no_data_seconds !== undefined) {
    return `${when.metric ?? "nothing"} ${when.metric ? "not told" : "heard"} for ${when.no_data_seconds} s`;
  }
  const isRange = when.operator === "between" || when.operator === "outside";
  const range = `${when.operator ?? ""} ${isRange ? `${when.low} and ${when.high}` : when.value ?? ""}`;
  return `${plain(when.metric ?? "")}${when.rate_per_seconds ? ` in ${when.rate_per_seconds} s` : ""} ${range}`;
}
