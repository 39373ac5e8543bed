// Webhooks: where messages go, and what became of each.

import { h, show, wire } from "../app/dom.js";
import { counted, moment } from "../app/format.js";
import { ask, action, check, empty, field, pageHead, showLoaded, table } from "../app/ui.js";
import { mountWebhook } from "./webhooks/webhook.js";

export const title = "Webhooks";

/** Which messages there are, as the API has them. */
const TYPES = [
  "sensor_reading", "rule.triggered", "alarm.raised", "alarm.acknowledged", "alarm.cleared", "appliance.online", "appliance.offline",
  "command.failed", "session.completed", "webhook.disabled",
];

/** @param {import("../app/main.js").Context} context @param {Element} place @param {string[]} path */
export async function mount(context, place, [id]) {
  if (id) return mountWebhook(context, place, id);
  const { api, signal } = context;
  const body = h("section", { class: "card flush" });
  const reload = () => showLoaded(body, () => api.all("/v1/webhooks", "webhooks"), drawList, signal);
  const add = () => askWebhook(context, null, async (body) => {
    const { webhook, secret } = await api.ask("POST", "/v1/webhooks", { body });
    showSecret(secret, () => { location.hash = `#/webhooks/${webhook.id}`; });
  });
  show(
    place,
    pageHead(
      "Webhooks",
      "What happens is told to other systems, signed, in order and again until they have it.",
      h("button", { type: "button", class: "primary", onclick: add }, "New webhook…"),
    ),
    body,
  );
  reload();
}

function drawList(all) {
  if (all.length === 0) return empty("No webhooks yet", "Add one to have alarms, rules and sessions told to a system of yours.");
  return table(["Name", "Goes to", "Messages", "State"], all.map((webhook) => [
    h("a", { class: "name", href: `#/webhooks/${webhook.id}` }, wire(webhook.name, 80)), wire(webhook.url, 80),
    webhook.event_types.length === 0 ? "all" : counted(webhook.event_types.length, "kind"),
    stateBadge(webhook)]), { caption: "Webhooks" });
}

export function stateBadge({ enabled, disabled_because, failing_since }) {
  const [tone, word] = !enabled ? [
    "off",
    disabled_because ? `disabled: ${disabled_because}` : "disabled",
  ] : failing_since ? ["bad", `failing since ${moment(failing_since)}`] : ["good", "enabled"];
  return h("span", { class: `badge ${tone}` }, word);
}

/**
 * Asks for a webhook's settings.
 * @param {import("../app/main.js").Context} context
 * @param {any | null} known its present ones; null for a new one
 * @param {(body: object) => Promise<void>} send
 */
export function askWebhook({ fleet }, known, send) {
  const name = h("input", { required: true, maxLength: 255, value: known?.name ?? "" });
  const url = h("input", { type: "url", required: true, maxLength: 2048, value: known?.url ?? "https://" });
  const inFlight = h("input", { type: "number", min: 1, max: 64, value: String(known?.in_flight_max ?? 8) });
  const appliances = h(
    "input",
    { value: (known?.appliance_ids ?? []).join(", "), placeholder: [...fleet.appliances.keys()].slice(0, 2).join(", ") },
  );
  const types = TYPES.map((type) => check(type, { value: type, checked: known?.event_types.includes(type) ?? false }));
  ask({ title: known ? "Change the webhook" : "New webhook", go: known ? "Save" : "Add", body: [
    field("Name", name), field("URL", url, "https, to a public address."),
    h("fieldset", {},
      h("legend", { class: "label" }, "Messages"),
      h("p", { class: "muted small" }, "All when none is chosen."),
      h("div", { class: "fields checks" }, types),
    ),
    field("Appliances", appliances, "Ids, separated by commas; all that you may see when empty."),
    field("Attempts at a time", inFlight, "With 1, messages keep their order.")],
  submit: () => send({
    name: name.value.trim(),
    url: url.value.trim(),
    in_flight_max: Number(inFlight.value),
    appliance_ids: appliances.value.split(",").map((id) => id.trim()).filter(Boolean),
    event_types: types.map((label) => label.querySelector("input")).filter(({ checked }) => checked).map(({ value }) => value) }) });
}

/** Shows a secret, this once. */
export function showSecret(secret, done) {
  const box = h("code", { class: "secret" }, secret);
  ask({
    title: "The webhook's secret",
    about: "It signs every message. It is shown this once: keep it where the receiver finds it.",
    go: "I have it",
    submit: async () => done(),
    // Browsers have a clipboard on https and on this machine only.
    body: [box, navigator.clipboard && action("Copy", () => navigator.clipboard.writeText(secret), { class: "small" })] });
}
