// What a rule would have done on the history of an appliance. The API tries it, with the evaluator that runs live; here it is drawn.

import { Chart } from "../../app/chart.js";
import { h, show, wire } from "../../app/dom.js";
import { counted, duration, moment, number } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { choice, failed, field, table } from "../../app/ui.js";

const RANGES = { 3600: "The last hour", 21600: "The last 6 hours", 86400: "The last day", 604800: "The last 7 days" };
/** The API tries for ten seconds at most. */
const DEADLINE_MS = 20_000;
const FIRINGS_SHOWN = 10;

export class Preview {
  element;
  #context;
  #appliance;
  #range = choice(RANGES, "3600", { onchange: () => this.#try() });
  #result = h("div", { class: "stack" });
  /** The rule to be tried; undefined while there is none. */
  #rule;
  #isChosen = false;
  /** Ends the question under way. */
  #trying = new AbortController();
  /** Ends the chart that is shown. */
  #drawing = new AbortController();

  /** @param {import("../../app/main.js").Context} context */
  constructor(context) {
    this.#context = context;
    context.signal.addEventListener("abort", () => {
      this.#trying.abort();
      this.#drawing.abort();
    });
    this.#appliance = choice(
      [...context.fleet.appliances.values()].map(({ id, name }) => [id, name.slice(0, 60)]),
      undefined,
      { onchange: () => this.#try() },
    );
    this.element = h("section", { class: "card stack sticky-head" },
      h("h2", {}, "On the history"),
      h("div", { class: "fields" }, field("Appliance", this.#appliance), field("Range", this.#range)),
      this.#result,
    );
    this.hold();
  }

  /** There is no rule to be tried. */
  hold() {
    this.#rule = undefined;
    this.#trying.abort();
    this.#drawing.abort();
    show(this.#result, h("p", { class: "muted" }, "What the rule would have done is shown here once it can be saved."));
  }

  /** @param {any} rule one that the API would take */
  show(rule) {
    if (!this.#isChosen) this.#choose(rule);
    [this.#rule, this.#isChosen] = [rule, true];
    this.#try();
  }

  /** Begins with an appliance that the rule watches. */
  #choose({ appliances = [], dialects = [] }) {
    const patterns = appliances.map((name) => new RegExp(`^${name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`));
    const isWatched = ({ id, dialect }) => (patterns.length === 0 || patterns.some((pattern) => pattern.test(id))) &&
      (dialects.length === 0 || dialects.includes(dialect));
    const watched = [...this.#context.fleet.appliances.values()].find(isWatched);
    if (watched) this.#appliance.value = watched.id;
  }

  async #try() {
    if (this.#rule === undefined) return;
    const { api } = this.#context;
    this.#trying.abort();
    this.#trying = new AbortController();
    const { signal } = this.#trying;
    const [rule, id, now] = [this.#rule, this.#appliance.value, Date.now()];
    const window = [now - Number(this.#range.value) * 1000, now];
    const query = { appliance_id: id, from: new Date(window[0]).toISOString(), to: new Date(now).toISOString() };
    try {
      const found = await api.ask("POST", "/v1/rules/backtest", { query, body: rule, deadline_ms: DEADLINE_MS, signal });
      const metric = rule.when.metric?.includes("*") ? found.firings[0]?.metric : rule.when.metric;
      const rows = metric ? await bucketRows(api, `/v1/appliances/${encodeURIComponent(id)}`, [metric], window, { signal }) : [];
      if (signal.aborted) return;
      this.#drawing.abort();
      this.#drawing = new AbortController();
      show(this.#result, told(found, now), rows.length > 0 && draw(rule, metric, rows, found, this.#drawing.signal), listed(found));
    } catch (error) {
      if (!signal.aborted) show(this.#result, failed(error, () => this.#try()));
    }
  }
}

/** In words. */
function told({ concerned, until, firings, alarms }, now) {
  if (!concerned) return h("p", { role: "status" }, "The rule does not watch this appliance.");
  const raised_s = alarms.reduce((sum, { raised_at, cleared_at }) => sum + (Date.parse(cleared_at ?? until) - Date.parse(raised_at)) / 1000, 0);
  const times = firings.length === 1 ? "once" : counted(firings.length, "time");
  const fired = firings.length > 0 ? `It would have fired ${times}` : "It would not have fired";
  const isOpen = alarms.some(({ cleared_at }) => cleared_at === null);
  const raised = alarms.length > 0 ? `; what it watches for stood for ${duration(raised_s)} in all${isOpen ? ", and still stands" : ""}` : "";
  const isWhole = Date.parse(until) >= now - 1000;
  return [
    h("p", { role: "status" }, `${fired}${raised}.`),
    !isWhole && h("p", { class: "muted small" },
      `Looked at up to ${moment(until)}: there are more events than can be tried here. `, h("code", {}, "martletctl backtest"), " looks at all."),
  ];
}

/** The metric with the rule's bounds, when it would have fired, and how long that would have stood. */
function draw({ when }, metric, rows, { until, firings, alarms }, signal) {
  const isRate = when.rate_per_seconds !== undefined;
  const bounds = isRate ? [] : (when.value !== undefined ? [when.value] : [when.low, when.high]).filter(Number.isFinite);
  const names = bounds.length > 1 ? ["lower", "upper"] : ["bound"];
  const chart = new Chart({
    label: metric,
    signal,
    series: [{ name: "value" }, ...bounds.map((_, place) => ({ name: names[place], colour: "series-2", dashed: true }))],
  });
  const spans = alarms.map(({ raised_at, cleared_at }) => [Date.parse(raised_at), Date.parse(cleared_at ?? until)]);
  // All that is marked is to be seen, also where nothing was measured.
  const times = [rows[0][0], rows.at(-1)[0], ...spans.flat()];
  const edge = (at) => [at, null, ...bounds];
  chart.set([edge(Math.min(...times)), ...rows.map(([at, value]) => [at, value, ...bounds]), edge(Math.max(...times))]);
  chart.mark(spans, firings.map(({ fired_at }) => Date.parse(fired_at)));
  const about = "A line where it fires; shaded for as long as that stands.";
  return h("div", { class: "stack tight" }, chart.element, alarms.length > 0 && h("p", { class: "muted small" }, about));
}

function listed({ firings }) {
  if (firings.length === 0) return false;
  const rows = firings.slice(-FIRINGS_SHOWN).reverse().map(({ fired_at, metric, value }) => [
    moment(fired_at),
    metric === null ? "" : wire(metric, 80),
    value === null ? "" : number(value),
  ]);
  const isCut = firings.length > FIRINGS_SHOWN;
  return h("div", {},
    table(["Fired", "Metric", "Value"], rows, { caption: "When it would have fired", numbers: [2] }),
    isCut && h("p", { class: "muted small" }, `The last ${FIRINGS_SHOWN}.`),
  );
}
