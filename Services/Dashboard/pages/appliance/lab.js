// A lab controller: what its sensors measure, and its experiments.

import { Chart } from "../../app/chart.js";
import { mayOperate } from "../../app/commanding.js";
import { h, perFrame, setText, show, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { ago, duration, moment, number } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { action, ask, empty, field, loading, showLoaded } from "../../app/ui.js";
import { list, object, readingsIn } from "../../app/wire.js";

const SENSORS_MAX = 1000;
const CHARTS_MAX = 4;
const CHART_MS = 20 * 60_000;

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountLab(context, place) {
  const { api, appliance, path, signal } = context;
  const [sensors, experiments, charts] = [h("div", {}, loading()), h("div", {}), h("div", { class: "halves" })];
  const reload = () => showLoaded(
    experiments,
    () => api.ask("GET", `${path}/experiments`, { query: { limit: 50 }, signal }),
    ({ experiments: all }) => drawExperiments(all, context, reload),
    signal,
  );
  const add = mayOperate(appliance) && h("button", { type: "button", class: "primary", onclick: () => askExperiment(context, reload) },
    "New experiment…"
  );
  show(place, h("div", { class: "stack" }, h("div", { class: "halves" },
    h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Sensors")), sensors),
    h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Experiments"), add), experiments)), charts));
  showSensors(context, sensors, (known) => showCharts(context, charts, known));
  reload();
}

async function showSensors({ api, fleet, appliance, path, signal }, place, done) {
  const rows = new Map();
  const ask = async () => {
    const [known, plugins, { datapoints }] = await Promise.all([
      api.all(`${path}/sensors`, "sensors", {}, SENSORS_MAX),
      api.all(`${path}/plugins`, "plugins"),
      api.ask("GET", "/v1/datapoints/latest", { signal })]);
    return { known, read: new Set(plugins.filter(({ enabled }) => enabled).flatMap(({ sensor_ids }) => sensor_ids)), datapoints };
  };
  await showLoaded(place, ask, ({ known, read, datapoints }) => {
    if (known.length === 0) return empty("No sensors yet", "They are set up through the API, or with martletctl apply.");
    done(known);
    for (const sensor of known) rows.set(sensor.id, makeRow(sensor, read.has(sensor.id)));
    // Its times are UTC, written without a zone.
    for (const { event_public_id, value, timestamp } of datapoints) rows.get(event_public_id)?.update(value, Date.parse(`${timestamp}Z`));
    return h("table", { class: "stacks" }, h("caption", { class: "unseen" }, "Sensors"),
      h("thead", {},
        h("tr", {},
          h("th", { scope: "col" }, "Sensor"),
          h("th", { scope: "col", class: "number" }, "Value"),
          h("th", { scope: "col" }, "Measured"),
        )
      ),
      h("tbody", {}, [...rows.values()].map(({ element }) => element)));
  }, signal);
  const waiting = new Map();
  const draw = perFrame(() => {
    for (const [id, [value, at]] of waiting) rows.get(id)?.update(value, at);
    waiting.clear();
  }, signal);
  fleet.onevent(appliance.id, (event) => {
    if (event.type !== "telemetry:datapoints") return;
    for (const { event_public_id, value } of list(event.data.datapoints).map(object)) {
      if (rows.has(event_public_id)) waiting.set(event_public_id, [value, Date.now()]);
    }
    draw();
  }, signal);
  const timer = setInterval(() => rows.forEach((row) => row.tick()), 2_000);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** The first sensors over time; the tab Charts has all. */
function showCharts({ api, fleet, appliance, path, signal }, place, sensors) {
  const charts = new Map(
    sensors.slice(0, CHARTS_MAX).map(
      ({ id, name, unit }) => [id, new Chart({ label: name || id, unit, window_ms: CHART_MS, signal, series: [{ name: "now" }] })]
    )
  );
  show(place, [...charts.values()].map(({ element }) => h("section", { class: "card" }, element)));
  const now = Date.now();
  for (const [id, chart] of charts) {
    bucketRows(api, path, [id], [now - CHART_MS, now], { signal }).then((rows) => chart.set(rows), () => {});
  }
  fleet.onevent(appliance.id, (event) => {
    for (const [id, value] of event.type === "telemetry:datapoints" ? readingsIn(event) : []) {
      charts.get(id)?.add([receivedAt(event), value]);
    }
  }, signal);
}

function makeRow({ id, name, unit }, isRead) {
  const [value, heard] = [
    h("b", { class: "number large" }, "–"),
    h("span", { class: "muted number" }, isRead ? "never" : "not read by any plugin"),
  ];
  let last;
  return {
    element: h("tr", {}, h("td", {}, h("span", { class: "name" }, wire(name || id, 80)), h("span", { class: "muted small" }, wire(id, 64))),
      h("td", { class: "number", data: { label: "Value" } }, h("span", {}, value, " ", h("span", { class: "muted" }, wire(unit, 20)))),
      h("td", { data: { label: "Measured" } }, heard)),
    update(next, at) {
      last = at;
      setText(value, number(next));
      this.tick();
    },
    tick() {
      if (last !== undefined) setText(heard, ago(last));
    },
  };
}

function drawExperiments(all, { api, appliance, path }, reload) {
  if (all.length === 0) return empty("No experiments yet", "Readings that belong together are kept under one experiment.");
  const run = (id, verb) => action(verb === "start" ? "Start" : "Stop", async () => {
    await api.ask("POST", `${path}/experiments/${encodeURIComponent(id)}/${verb}`);
    reload();
  }, { class: verb === "start" ? "small primary" : "small danger", label: `${verb === "start" ? "Start" : "Stop"} ${id}` });
  return h("ul", { class: "rows" }, all.map(({ id, name, started_at, stopped_at }) => {
    const isActive = started_at !== null && stopped_at === null;
    const seconds = started_at && ((stopped_at ? Date.parse(stopped_at) : Date.now()) - Date.parse(started_at)) / 1000;
    return h(
      "li",
      {},
      h("div", { class: "grow" },
        h("span", { class: "name" }, wire(name, 80)),
        h("span", { class: "muted small" }, started_at ? `${moment(started_at)} · ${duration(seconds)}` : "not started"),
      ),
      h("span", { class: `badge ${isActive ? "active" : stopped_at ? "off" : "good"}` },
        isActive ? "running" : stopped_at ? "stopped" : "ready"
      ),
      mayOperate(appliance) && (isActive ? run(id, "stop") : !started_at && run(id, "start")));
  }));
}

function askExperiment({ api, path }, reload) {
  const [name, id] = [h("input", { maxLength: 255, required: true }), h("input", { maxLength: 64, placeholder: "made when left out" })];
  ask({ title: "New experiment", body: [field("Name", name), field(
    "Id",
    id,
    "The experiment_public_id of its datapoints.",
  )], go: "Add", submit: async () => {
    await api.ask("POST", `${path}/experiments`, { body: { name: name.value.trim(), ...(id.value.trim() && { id: id.value.trim() }) } });
    reload();
  } });
}
