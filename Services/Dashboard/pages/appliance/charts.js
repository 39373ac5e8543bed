// Charts of any metric: the past from the API, the present as it comes, and zoom that asks for more detail.

import { Chart } from "../../app/chart.js";
import { h, show, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { moment } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { empty } from "../../app/ui.js";
import { readingsIn } from "../../app/wire.js";

const RANGES = [["15 min", 900], ["1 h", 3600], ["6 h", 21_600], ["24 h", 86_400], ["7 days", 604_800]];
const CHARTS_MAX = 8;
/** What a person would look at first. */
const FIRST = ["temperature", "target_temperature", "environment.temperature_c", "position.x", "velocity.linear", "sensors.battery"];

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountCharts(context, place) {
  const { api, fleet, appliance, path, signal } = context;
  const metrics = (await api.all(`${path}/metrics`, "metrics", {}, 1000)).map(({ name }) => name);
  if (metrics.length === 0) {
    return void show(
      place,
      h("section", { class: "card" },
        empty("No readings yet", "Every number that the appliance tells becomes a reading, which is kept and drawn here.")
      ),
    );
  }
  const preferred = FIRST.filter((name) => metrics.includes(name));
  const chosen = new Set(preferred.length > 0 ? preferred.slice(0, 2) : metrics.slice(0, 2));
  /** @type {Map<string, { chart: Chart, end: AbortController, asked: number }>} */
  const charts = new Map();
  let range_s = RANGES[0][1];
  /** The part that the person has zoomed to, of all charts alike. @type {[number, number] | null} */
  let zoomed = null;
  const area = h("div", { class: "stack" });
  const about = h("p", { class: "muted small", role: "status" });

  const window = () => zoomed ?? [Date.now() - range_s * 1000, Date.now()];
  async function load(name) {
    const known = charts.get(name);
    const asked = ++known.asked;
    const rows = await bucketRows(api, path, [name], window(), { signal: known.end.signal }).catch(() => null);
    if (rows && asked === known.asked) {
      known.chart.set(rows);
      known.chart.zoom(zoomed);
    }
  }
  function reload() {
    for (const name of charts.keys()) load(name);
    about.textContent = zoomed
      ? `${moment(zoomed[0])} to ${moment(zoomed[1])}. Double-click a chart, or press Reset, to see all again.`
      : "Drag over a chart to zoom in.";
    reset.disabled = zoomed === null;
  }
  function zoomTo(next) {
    zoomed = next;
    reload();
  }
  function arrange() {
    for (const [name, { end }] of charts) if (!chosen.has(name)) { end.abort(); charts.delete(name); }
    for (const name of chosen) if (!charts.has(name)) {
      const end = new AbortController();
      signal.addEventListener("abort", () => end.abort());
      const chart = new Chart({ label: name, series: [{ name: "now" }], signal: end.signal });
      chart.onwindow = zoomTo;
      charts.set(name, { chart, end, asked: 0 });
      load(name);
    }
    show(
      area,
      charts.size === 0 ? h("section", { class: "card" },
        empty("Nothing chosen", "Choose a metric above.")
      ) : [...charts.values()].map(({ chart }) => h("section", { class: "card" }, chart.element)),
    );
  }

  fleet.onevent(appliance.id, (event) => {
    if (zoomed || charts.size === 0) return;
    const readings = readingsIn(event);
    for (const [name, { chart }] of charts) if (readings.has(name)) chart.add([receivedAt(event), readings.get(name)]);
  }, signal);

  /** By keyboard what dragging does: a half as much, twice as much, to either side. */
  const scaleBy = (factor) => {
    const [from, to] = window();
    const [middle, half] = [(from + to) / 2, ((to - from) * factor) / 2];
    zoomTo([middle - half, Math.min(Date.now(), middle + half)]);
  };
  const moveBy = (share) => {
    const [from, to] = window();
    zoomTo([from + share * (to - from), to + share * (to - from)]);
  };
  const reset = small("Reset", () => zoomTo(null));
  const ranges = RANGES.map(([text, seconds]) => {
    const choose = ({ currentTarget }) => {
      range_s = seconds;
      for (const button of ranges) press(button, button === currentTarget);
      zoomTo(null);
    };
    return press(small(text, choose), seconds === range_s);
  });
  const toggles = [...preferred, ...metrics.filter((name) => !preferred.includes(name))].map((name) => {
    const toggle = ({ currentTarget }) => {
      if (chosen.has(name)) chosen.delete(name);
      else if (chosen.size < CHARTS_MAX) chosen.add(name);
      press(currentTarget, chosen.has(name));
      arrange();
    };
    return press(small(wire(name, 48), toggle), chosen.has(name));
  });
  show(place, h("div", { class: "stack" }, h("section", { class: "card stack", "aria-label": "What is drawn" },
    h("div", { class: "row apart" }, h("div", { class: "row", role: "group", "aria-label": "Range" }, ranges),
      h("div", { class: "row", role: "group", "aria-label": "Zoom" },
        [
          ["Earlier", () => moveBy(-0.5)],
          ["Later", () => moveBy(0.5)],
          ["Zoom in", () => scaleBy(0.5)],
          ["Zoom out", () => scaleBy(2)],
        ].map(([text, onclick]) => small(text, onclick)),
        reset,
      )),
    h("div", { class: "row metrics", role: "group", "aria-label": "Metrics" }, toggles), about), area));
  arrange();
  reload();
}

const small = (text, onclick) => h("button", { type: "button", class: "small", onclick }, text);

function press(button, isPressed) {
  button.setAttribute("aria-pressed", String(isPressed));
  return button;
}
