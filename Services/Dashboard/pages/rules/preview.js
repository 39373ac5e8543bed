// A rule's bounds on the history of an appliance: how often they would have been passed. The rules themselves are not evaluated here
// (`martletctl backtest` does that).

import { Chart } from "../../app/chart.js";
import { h, show, wire } from "../../app/dom.js";
import { counted } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { choice, field } from "../../app/ui.js";

const RANGES = { 3600: "The last hour", 21600: "The last 6 hours", 86400: "The last day", 604800: "The last 7 days" };
const TESTS = {
  ">": (x, { value }) => x > value,
  ">=": (x, { value }) => x >= value,
  "<": (x, { value }) => x < value,
  "<=": (x, { value }) => x <= value,
  "==": (x, { value }) => x === value,
  "!=": (x, { value }) => x !== value,
  between: (x, { low, high }) => x >= low && x <= high, outside: (x, { low, high }) => x < low || x > high };

export class Preview {
  element;
  #context;
  #appliance;
  #range = choice(RANGES, "3600", { onchange: () => this.#draw() });
  #result = h("div", {});
  #rule;
  #asked = 0;
  #drawing = new AbortController();

  /** @param {import("../../app/main.js").Context} context */
  constructor(context) {
    this.#context = context;
    context.signal.addEventListener("abort", () => this.#drawing.abort());
    this.#appliance = choice(
      [...context.fleet.appliances.values()].map(({ id, name }) => [id, name.slice(0, 60)]),
      undefined,
      { onchange: () => this.#draw() },
    );
    this.element = h("section", { class: "card stack sticky-head" },
      h("h2", {}, "On the history"),
      h("div", { class: "fields" }, field("Appliance", this.#appliance), field("Range", this.#range)),
      this.#result,
    );
  }

  show(rule) {
    if (this.#rule === undefined) this.#choose(rule);
    this.#rule = rule;
    this.#draw();
  }

  /** Begins with an appliance that the rule watches. */
  #choose({ appliances = [], dialects = [] }) {
    const patterns = appliances.map((name) => new RegExp(`^${name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`));
    const isWatched = ({ id, dialect }) => (patterns.length === 0 || patterns.some((pattern) => pattern.test(id))) &&
      (dialects.length === 0 || dialects.includes(dialect));
    const watched = [...this.#context.fleet.appliances.values()].find(isWatched);
    if (watched) this.#appliance.value = watched.id;
  }

  async #draw() {
    const { when } = this.#rule;
    const test = TESTS[when?.operator];
    if (!when?.metric || !test || when.rate_per_seconds !== undefined) {
      return void show(
        this.#result,
        h("p", { class: "muted" }, "A number with bounds can be drawn here. Any rule is tried over stored history by martletctl backtest."),
      );
    }
    const mine = ++this.#asked;
    const [id, now] = [this.#appliance.value, Date.now()];
    const rows = await bucketRows(
      this.#context.api,
      `/v1/appliances/${encodeURIComponent(id)}`,
      [when.metric],
      [now - Number(this.#range.value) * 1000, now],
      { signal: this.#context.signal },
    ).catch(() => null);
    if (mine !== this.#asked || this.#context.signal.aborted) return;
    if (rows === null || rows.length === 0) {
      return void show(
        this.#result,
        h("p", { class: "muted" }, "This appliance has told no ", h("code", {}, wire(when.metric, 80)), " in that time."),
      );
    }
    this.#drawing.abort();
    this.#drawing = new AbortController();
    const bounds = (when.value !== undefined ? [when.value] : [when.low, when.high]).filter(Number.isFinite);
    const chart = new Chart({
      label: when.metric,
      signal: this.#drawing.signal,
      series: [
        { name: "value" },
        ...bounds.map(
          (bound, place) => ({ name: bounds.length > 1 ? (place ? "upper" : "lower") : "bound", colour: "series-2", dashed: true })
        ),
      ],
    });
    chart.set(rows.map(([at, value]) => [at, value, ...bounds]));
    show(this.#result, h("p", { role: "status" }, told(rows, (x) => test(x, when))), chart.element);
  }
}

/** How often and how long values were past the bounds. */
function told(rows, isPast) {
  const passed = rows.map(([, value]) => value !== null && isPast(value));
  const times = passed.filter((now, place) => now && !passed[place - 1]).length;
  const share = Math.round((100 * passed.filter(Boolean).length) / rows.length);
  if (times === 0) return "It would never have been past its bounds.";
  return `It would have been past its bounds ${counted(times, "time")}, ${share} % of the time.`;
}
