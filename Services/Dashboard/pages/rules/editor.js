// One rule as a form, checked by the API while it is filled in, and tried on the history of an appliance.

import { h, show, wire } from "../../app/dom.js";
import { DIALECTS } from "../../app/dialects.js";
import { action, ask, check, choice, field, notice, pageHead } from "../../app/ui.js";
import { Condition } from "./condition.js";
import { Preview } from "./preview.js";

const CHECK_MS = 500;
const EMPTY = { id: "", when: { metric: "", operator: ">", value: 0 } };

/** @param {import("../../app/main.js").Context} context @param {Element} place @param {string | undefined} id undefined for a new rule */
export async function mountEditor(context, place, id) {
  const { api, fleet, signal } = context;
  await fleet.load();
  const known = id === undefined ? EMPTY : await api.ask("GET", `/v1/rules/${encodeURIComponent(id)}`, { signal });
  const verdict = h("div", { role: "status" });
  const preview = new Preview(context);
  const form = makeForm(known, id === undefined, () => changed());
  let timer;
  let asked = 0;
  const checkNow = async () => {
    const mine = ++asked;
    try {
      const rule = form.rule();
      await api.ask("POST", "/v1/rules/validate", { body: rule, signal });
      if (mine !== asked) return;
      show(verdict, h("p", { class: "badge good" }, "This rule can be saved"));
      preview.show(rule);
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      show(verdict, complaints(error));
      preview.hold();
    }
  };
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(checkNow, CHECK_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  const save = action(id === undefined ? "Add the rule" : "Save", async () => {
    const rule = form.rule();
    await api.ask(
      id === undefined ? "POST" : "PUT",
      id === undefined ? "/v1/rules" : `/v1/rules/${encodeURIComponent(id)}`,
      { body: rule },
    );
    notice("The rule counts from now on.");
    location.hash = "#/rules";
  }, { class: "primary" });
  const remove = id !== undefined && h("button", { type: "button", class: "danger", onclick: () => askRemoval(api, id) }, "Remove…");
  show(
    place,
    h("p", { class: "small" }, h("a", { href: "#/rules" }, "Rules")),
    pageHead(id === undefined ? "New rule" : wire(known.name || known.id, 80)),
    h("div", { class: "halves" },
      h("div", { class: "stack" },
        form.elements,
        h("section", { class: "card stack sticky-foot", "aria-label": "Saving" }, verdict, h("div", { class: "row" }, save, remove)),
      ),
      preview.element,
    ));
  // A rule that is not begun yet is not complained of.
  if (id !== undefined) checkNow();
}

function askRemoval(api, id) {
  const submit = async () => {
    await api.ask("DELETE", `/v1/rules/${encodeURIComponent(id)}`);
    location.hash = "#/rules";
  };
  const about = "What it had raised is cleared; what it fired stays.";
  ask({ title: "Remove this rule?", about, go: "Remove", danger: true, body: [], submit });
}

function complaints(error) {
  const places = error.errors?.length ? error.errors : [{ place: "", detail: error.message }];
  return h("ul", { class: "stack tight" },
    places.map(({ place, detail }) => h("li", { class: "banner warn" },
      h("span", {}, place && h("code", {}, wire(place, 80)), place && " ", wire(detail, 300))
    ))
  );
}

function makeForm(known, isNew, changed) {
  const input = (value, properties = {}) => h("input", { value: value ?? "", oninput: changed, ...properties });
  const id = input(known.id, { maxLength: 64, disabled: !isNew, spellcheck: false, required: true });
  const name = input(known.name, { maxLength: 255 });
  const severity = choice(["info", "warning", "critical"].map((word) => [word, word]), known.severity ?? "warning", { onchange: changed });
  const enabled = check("Enabled", { checked: known.enabled !== false, onchange: changed });
  const appliances = input((known.appliances ?? []).join(", "), { placeholder: "EPIC-*, TANK-1" });
  const dialects = Object.entries(DIALECTS).map(
    ([value, text]) => check(text, { value, checked: known.dialects?.includes(value) ?? false, onchange: changed })
  );
  const condition = new Condition(known.when, changed);
  const forSeconds = input(known.for_seconds, { type: "number", min: 0, step: "any" });
  const cooldown = input(known.cooldown_seconds, { type: "number", min: 0, step: "any" });
  const [from, until] = [input(known.hours?.from, { type: "time" }), input(known.hours?.until, { type: "time" })];
  const offset = input(known.hours?.utc_offset_minutes ?? -new Date().getTimezoneOffset(), { type: "number", step: 15 });
  const actions = known.actions ?? { alarm: true, webhook: true, event: true };
  const flags = Object.entries({ alarm: "Raise an alarm", webhook: "Tell webhooks", event: "Tell apps" }).map(
    ([value, text]) => check(text, { value, checked: actions[value] === true, onchange: changed })
  );
  const command = input(actions.command?.type, { placeholder: "cooking:stop", maxLength: 64, spellcheck: false });
  const data = h(
    "textarea",
    { value: actions.command?.data ? JSON.stringify(actions.command.data) : "", rows: 2, spellcheck: false, oninput: changed },
  );
  const ticked = (boxes) => boxes.map((label) => label.querySelector("input")).filter(({ checked }) => checked).map(({ value }) => value);
  const seconds = (name, { value }) => (value === "" ? {} : { [name]: Number(value) });
  return {
    elements: [
      h(
        "section",
        { class: "card stack" },
        h("h2", {}, "Rule"),
        h("div", { class: "fields" }, field("Id", id), field("Name", name)),
        h("div", { class: "fields" }, field("Severity", severity), enabled),
        field("Appliances", appliances, "Ids, or patterns with *, separated by commas; all when empty."),
        h("fieldset", {},
          h("legend", { class: "label" }, "Kinds (all when none is chosen)"),
          h("div", { class: "fields checks" }, dialects),
        )),
      h(
        "section",
        { class: "card stack" },
        h("h2", {}, "Watches for"),
        condition.element,
        h("div", { class: "fields" },
          field("For at least (s)", forSeconds, "Fires at once when empty."),
          field("Then quiet for (s)", cooldown, "For the same metric of the same appliance."),
        ),
        h("fieldset", {},
          h("legend", { class: "label" }, "Only in these hours (always when empty)"),
          h("div", { class: "fields" }, field("From", from), field("Until", until), field("Minutes ahead of UTC", offset)),
        )),
      h("section", { class: "card stack" },
        h("h2", {}, "What follows"),
        h("div", { class: "fields checks" }, flags),
        field("Command", command, "None when empty."),
        field("The command's data", data, "A JSON object; empty for none."),
      ),
    ],
    /** The rule as it stands here; what this form has no field for is kept as it came. Throws a sentence about what is no JSON. */
    rule() {
      const list = appliances.value.split(",").map((text) => text.trim()).filter(Boolean);
      const kinds = ticked(dialects);
      const { name: _, appliances: __, dialects: ___, for_seconds, cooldown_seconds, hours, ...rest } = known;
      return {
        ...rest,
        id: id.value.trim(),
        ...(name.value && { name: name.value }),
        enabled: enabled.querySelector("input").checked,
        severity: severity.value,
        ...(list.length > 0 && { appliances: list }),
        ...(kinds.length > 0 && { dialects: kinds }),
        when: condition.value(),
        ...seconds("for_seconds", forSeconds),
        ...seconds("cooldown_seconds", cooldown),
        ...(from.value && until.value && { hours: { from: from.value, until: until.value, utc_offset_minutes: Number(offset.value) } }),
        actions: {
          ...Object.fromEntries(["alarm", "webhook", "event"].map((flag) => [flag, ticked(flags).includes(flag)])),
          ...(command.value.trim() && { command: { type: command.value.trim(), data: data.value.trim() ? parse(data.value) : {} } }),
        } };
    },
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The command's data is no JSON: ${error.message}`);
  }
}
