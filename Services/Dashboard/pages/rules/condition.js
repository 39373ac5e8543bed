// What a rule watches for: the common conditions as fields, any other as JSON.

import { h, show } from "../../app/dom.js";
import { choice, field } from "../../app/ui.js";

const KINDS = { number: "A number", silence: "Silence", event: "An event", json: "As JSON" };
const OPERATORS = [">", ">=", "<", "<=", "==", "!=", "between", "outside"];
/** What the fields of each kind can say; a condition with more is shown as JSON. */
const MEMBERS = {
  number: ["metric", "operator", "value", "low", "high", "clear"],
  silence: ["no_data_seconds", "metric"],
  event: ["event"],
};

function kindOf(when) {
  const kind = when.event !== undefined ? "event" : when.no_data_seconds !== undefined ? "silence" : "number";
  return Object.keys(when).every((name) => MEMBERS[kind].includes(name)) ? kind : "json";
}

export class Condition {
  element = h("div", { class: "stack" });
  #inputs;
  #kind;

  /**
   * @param {Record<string, any>} when
   * @param {() => void} changed
   */
  constructor(when, changed) {
    const input = (name, properties = {}) => h("input", { value: when[name] ?? "", oninput: changed, ...properties });
    const numeric = { type: "number", step: "any" };
    this.#inputs = {
      metric: input("metric", { maxLength: 512, placeholder: "temperature", spellcheck: false }),
      operator: choice(OPERATORS.map((word) => [word, word]), when.operator ?? ">", { onchange: () => { this.#arrange(); changed(); } }),
      value: input("value", numeric), low: input("low", numeric), high: input("high", numeric), clear: input("clear", numeric),
      no_data_seconds: input("no_data_seconds", { type: "number", min: 1 }),
      event: input("event", { maxLength: 64, placeholder: "cooking:error", spellcheck: false }),
      json: h("textarea", { value: JSON.stringify(when, null, 2), rows: 8, spellcheck: false, oninput: changed }),
    };
    this.#kind = choice(KINDS, kindOf(when), { onchange: () => {
      // What the fields said so far is where the JSON begins.
      if (this.#kind.value === "json") this.#inputs.json.value = JSON.stringify(this.#read(this.#last), null, 2);
      this.#arrange();
      changed();
    } });
    this.#arrange();
  }

  #last = "number";

  /** The condition; throws a sentence when it is no JSON. */
  value() {
    return this.#read(this.#kind.value);
  }

  #read(kind) {
    const { metric, operator, no_data_seconds, event, json } = this.#inputs;
    const number = (name) => (this.#inputs[name].value === "" ? {} : { [name]: Number(this.#inputs[name].value) });
    switch (kind) {
      case "silence": return {
        no_data_seconds: Number(no_data_seconds.value),
        ...(metric.value.trim() && { metric: metric.value.trim() }),
      };
      case "event": return { event: event.value.trim() };
      case "json":
        try {
          return JSON.parse(json.value);
        } catch (error) {
          throw new Error(`The condition is no JSON: ${error.message}`);
        }
      default: return {
        metric: metric.value.trim(),
        operator: operator.value,
        ...(isRange(operator.value) ? { ...number("low"), ...number("high") } : { ...number("value"), ...number("clear") }),
      };
    }
  }

  #arrange() {
    const { metric, operator, value, low, high, clear, no_data_seconds, event, json } = this.#inputs;
    const kind = this.#kind.value;
    if (kind !== "json") this.#last = kind;
    const bounds = isRange(operator.value) ? [field("Lower", low), field("Upper", high)] : [
      field("Value", value),
      field("Clears past", clear, "The same value when empty."),
    ];
    const shown = {
      number: () => [
        field("Metric", metric, "Its dotted path, as the charts name it."),
        h("div", { class: "fields" }, field("Is", operator), bounds),
      ],
      silence: () => [
        h("div", { class: "fields" }, field("Nothing for (s)", no_data_seconds), field("Metric", metric, "Anything at all when empty.")),
      ],
      event: () => [field("Type", event)],
      json: () => [field("Condition", json)] };
    show(this.element, field("Kind", this.#kind), shown[kind]());
  }
}

const isRange = (operator) => operator === "between" || operator === "outside";
