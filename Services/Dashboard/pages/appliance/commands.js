// The commands that an appliance was sent, and how far each has come.

import { CommandLine, mayOperate } from "../../app/commanding.js";
import { clip, h, show, wire } from "../../app/dom.js";
import { duration, moment } from "../../app/format.js";
import { empty, failed, field, loading, moreButton } from "../../app/ui.js";

const STEPS = ["requested", "sent", "acknowledged"];
const KNOWN = {
  epicura: ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"], oht50: ["emergency_stop"],
  reefnet: ["reefnet:set_param", "reefnet:status_request", "reefnet:config_request", "reefnet:module_manifest_request", "reefnet:ping"],
};

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountCommands(context, place) {
  const { api, client, fleet, appliance, path, signal } = context;
  const line = new CommandLine(client, appliance.id);
  const rows = h("ol", { class: "rows" });
  const foot = h("div", {}, loading());
  /** @type {Map<string, { record: any, element: Element }>} */
  const known = new Map();

  const put = (record, isNew) => {
    const element = drawCommand(record);
    const before = known.get(record.command_id);
    if (before) before.element.replaceWith(element);
    else if (isNew) rows.prepend(element);
    else rows.append(element);
    known.set(record.command_id, { record, element });
  };
  fleet.onevent(appliance.id, (event) => {
    const step = event.type.startsWith("command:") && event.type.slice(8);
    const { command_id, type, code, message, user_id, data, expires_at } = event.data;
    if (!step || typeof command_id !== "string") return;
    foot.querySelector(".empty")?.remove();
    const before = known.get(command_id)?.record ?? {
      command_id, type, user_id: null, issued_at: event.timestamp, settled_at: null, sent_at: null, code: null, message: null, data: null,
    };
    const isOver = step === "acknowledged" || step === "failed";
    put(
      {
        ...before,
        state: step,
        ...(step === "requested" && { user_id, data, expires_at }),
        ...(step === "sent" && { sent_at: event.timestamp }),
        ...(isOver && { settled_at: event.timestamp, code: code ?? null, message: message ?? null }),
      },
      true,
    );
  }, signal);

  let cursor;
  const more = async () => {
    const page = await api.ask("GET", `${path}/commands`, { query: { limit: 50, cursor }, signal });
    for (const record of page.commands) if (!known.has(record.command_id)) put(record, false);
    cursor = page.next_cursor;
    show(
      foot,
      cursor !== null ? moreButton(more) : known.size === 0 && empty(
        "No commands yet",
        "Every command is listed here with its outcome, whoever sent it.",
      ),
    );
  };
  const takesCommands = appliance.dialect !== "signaling" && appliance.dialect !== "webmacs";
  const sending = h("section", { class: "card stack" }, h("h2", {}, "Send a command"), sender(appliance, line), line.element);
  show(place, h("div", { class: "stack" },
    mayOperate(appliance) && takesCommands && sending,
    h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Commands")), rows, foot)));
  await more().catch((error) => { if (!signal.aborted) show(foot, failed(error, () => mountCommands(context, place))); });
}

function sender(appliance, line) {
  const options = KNOWN[appliance.dialect];
  const type = options ? h("select", {}, options.map((name) => h("option", {}, name))) : h(
    "input",
    { required: true, maxLength: 64, pattern: "[A-Za-z0-9._:\\-]+", spellcheck: false },
  );
  const data = h("textarea", { spellcheck: false, rows: 3 });
  return h("form", { class: "stack", onsubmit: (event) => {
    event.preventDefault();
    data.setCustomValidity("");
    try {
      const value = data.value.trim() ? JSON.parse(data.value) : undefined;
      if (value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))) {
        throw new SyntaxError("it must be an object");
      }
      line.run(type.value, type.value, value);
    } catch (error) {
      data.setCustomValidity(`This is no JSON object: ${error.message}`);
      data.reportValidity();
    }
  } }, h("div", { class: "fields" },
    field("Command", type),
    field("Data", data, "A JSON object; empty for none."),
  ), h("div", {}, h("button", { type: "submit", class: "primary" }, "Send")));
}

function drawCommand({ command_id, type, state, code, message, user_id, data, issued_at, settled_at }) {
  const reached = state === "failed" ? -1 : STEPS.indexOf(state);
  const tone = { acknowledged: "good", failed: "bad" }[state] ?? "active";
  const took = settled_at ? (Date.parse(settled_at) - Date.parse(issued_at)) / 1000 : NaN;
  return h("li", { class: "command", data: { id: clip(command_id, 64) } }, h(
    "div",
    { class: "grow" },
    h("span", { class: "name" }, wire(type, 64)),
    h("span", { class: "muted small" },
      moment(issued_at),
      user_id ? [" by ", wire(user_id, 40)] : "",
      settled_at ? ` · ${took < 10 ? `${Math.max(0, took).toFixed(1)} s` : duration(took)}` : "",
    ),
    (message || code) && h("span", { class: "small" }, wire([message, code && `(${code})`].filter(Boolean).join(" "), 300)),
    data && Object.keys(data).length > 0 && h("code", { class: "muted" }, clip(JSON.stringify(data), 200))),
  h("ol", { class: "steps", "aria-hidden": "true" },
    STEPS.map((step, place) => h("li", { class: state === "failed" ? "failed" : place <= reached ? "done" : "", title: step }))
  ),
  h("span", { class: `badge ${tone}` }, state));
}
