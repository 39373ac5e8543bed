// A heater module: its probes, what it keeps to, and what has gone wrong.

import { CommandLine, mayOperate } from "../../app/commanding.js";
import { Chart } from "../../app/chart.js";
import { heaterPayload } from "../../app/dialects.js";
import { h, perFrame, show, showOnce, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { duration, isNumber, moment, number, plain } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { card, empty, field } from "../../app/ui.js";
import { list, object } from "../../app/wire.js";

const CHART_MS = 20 * 60_000;
const GUARDS = {
  all_probes_offline: "All probes offline",
  thermal_runaway: "Thermal runaway",
  heater_overrun: "Heater overrun",
  relay_stuck: "Relay stuck",
  lockout: "Lockout",
};
const PARAMETERS = {
  setpoint_c: "Setpoint",
  setpoint_min_c: "Lower bound",
  setpoint_max_c: "Upper bound",
  probe_tolerance_c: "Probe tolerance",
};
const SUBSYSTEMS_MAX = 16;

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountHeater(context, place) {
  const { api, client, fleet, appliance, path, signal } = context;
  const line = new CommandLine(client, appliance.id);
  const [banners, body, module, past] = [
    h("div", { class: "stack tight" }),
    h("div", { class: "stack" }),
    h("dl", { class: "facts" }),
    h("div", {}),
  ];
  const chart = new Chart({ label: "Water", unit: "°C", window_ms: CHART_MS, signal, series: [{ name: "now" }] });
  const setpoints = makeSetpoints(appliance, line);

  const draw = () => {
    const payload = heaterPayload(appliance);
    const subsystems = list(payload.subsystems).slice(0, SUBSYSTEMS_MAX).map(object);
    showOnce(
      banners,
      subsystems.map(({ safety, safety_lockout, state }) => [safety_lockout, state === "locked", object(safety).alarms]),
      () => subsystems.flatMap(alarmsOf),
    );
    show(
      body,
      subsystems.length > 0 ? subsystems.map(drawSubsystem) : h("section", { class: "card" },
        empty("Nothing was heard yet", "The module tells its state every second while it is connected.")
      ),
    );
    setpoints.update(object(subsystems[0]?.setpoints));
    drawModule(module, payload);
  };
  const refresh = perFrame(draw, signal);
  fleet.onchange(appliance.id, refresh, signal);
  const askPast = async () => {
    const { events } = await api.ask(
      "GET",
      `${path}/events`,
      { query: { type: "reefnet:alarm", order: "newest_first", limit: 20 }, signal },
    ).catch(() => ({ events: [] }));
    if (!signal.aborted) drawPast(past, events);
  };
  fleet.onevent(appliance.id, (event) => {
    const { temperature_c } = object(object(event.data.payload).environment);
    if (event.type === "reefnet:status" && isNumber(temperature_c)) chart.add([receivedAt(event), temperature_c]);
    if (event.type === "reefnet:alarm") setTimeout(askPast, 700);
  }, signal);
  draw();
  show(place, h("div", { class: "stack" }, banners, h("div", { class: "halves" },
    h("div", { class: "stack" }, body, h("section", { class: "card stack" }, h("h2", {}, "Setpoints"), setpoints.element, line.element)),
    h("div", { class: "stack" }, h("section", { class: "card" }, chart.element), card("Alarms told", past), card("Module", module)))));
  const now = Date.now();
  await Promise.all([
    askPast(),
    bucketRows(api, path, ["environment.temperature_c"], [now - CHART_MS, now], { signal }).then((rows) => chart.set(rows), () => {}),
  ]);
}

function alarmsOf({ safety, safety_lockout, state, label }) {
  const isLocked = safety_lockout === true || state === "locked";
  const alarms = list(object(safety).alarms).map(object);
  return [
    isLocked && h("p", { class: "banner bad", role: "alert" },
      wire(`${label ?? "The heater"} is locked out: it does not heat until the cause is cleared at the module.`, 200)
    ),
    ...alarms.slice(0, 8).map(({ title, code, detail, triggered_at }) => h("p", { class: "banner bad", role: "alert" },
      wire(`${title ?? code}${detail ? `: ${detail}` : ""} (since ${moment(triggered_at)})`, 300)
    )),
  ].filter(Boolean);
}

function drawSubsystem({ label, key, state, badge, setpoints, sensors, safety }) {
  const { setpoint_c, setpoint_min_c, setpoint_max_c, duty_cycle_percent } = object(setpoints);
  const all = list(sensors).slice(0, 32).map(object);
  const probes = all.filter(({ unit }) => unit === "C");
  const others = all.filter(({ unit }) => unit !== "C");
  const tone = badge === "alarm" || state === "locked" ? "bad" : badge === "active" || state === "heating" ? "active" : "good";
  return h("section", { class: "card stack" },
    h("div", { class: "row apart" },
      h("h2", {}, wire(label ?? key ?? "Heater", 60)),
      h("span", { class: `badge ${tone}` }, wire(plain(state), 40)),
    ),
    h("div", { class: "probes" },
      probes.map(({ label: name, value }) => h("div", { class: "figure" },
        h("b", { class: "number large" }, number(value, "", 2), h("small", {}, " °C")),
        h("span", { class: "muted small" }, wire(name, 40)),
      ))
    ),
    band(probes.find(({ label: name }) => name === "Average")?.value ?? probes[0]?.value, setpoint_min_c, setpoint_c, setpoint_max_c),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "Keeps between"),
      h("dd", {}, `${number(setpoint_min_c, "", 2)} and ${number(setpoint_max_c, "°C", 2)}`),
      h("dt", {}, "Duty cycle"),
      h("dd", {}, number(duty_cycle_percent, "%", 1)),
      others.filter(({ label: name }) => name !== "Duty Cycle").map(({ label: name, value, unit }) => [
        h("dt", {}, wire(name, 40)),
        h("dd", {}, number(value), " ", wire(unit === "cycles" ? "" : unit, 10)),
      ])),
    h("div", {}, h("h3", {}, "Guards"), h("ul", { class: "guards" }, Object.entries(GUARDS).map(([name, text]) => {
      const isOn = object(object(safety).state)[name] === true;
      return h("li", {}, h("span", { class: `badge ${isOn ? "bad" : "good"}` }, `${text}: ${isOn ? "tripped" : "clear"}`));
    }))));
}

/** Where the water is between its bounds, with as much room on both sides. */
function band(value, min, setpoint, max) {
  if (![value, min, max].every(isNumber) || max <= min) return null;
  const room = Math.max(max - min, 0.5);
  const at = (x) => Math.max(0, Math.min(100, (100 * (x - (min - room))) / (max - min + 2 * room)));
  const mark = (name, x) => {
    const node = h("span", { class: name });
    node.style.left = `${at(x)}%`;
    return node;
  };
  const good = h("span", { class: "band-good" });
  [good.style.left, good.style.width] = [`${at(min)}%`, `${at(max) - at(min)}%`];
  return h(
    "div",
    { class: "band", role: "img", "aria-label": `${number(value, "°C", 2)}, between ${number(min)} and ${number(max, "°C")} is right` },
    good,
    isNumber(setpoint) && mark("band-set", setpoint),
    mark("band-now", value),
  );
}

function makeSetpoints(appliance, line) {
  const inputs = Object.fromEntries(
    Object.keys(PARAMETERS).map(
      (name) => [name, h("input", { type: "number", step: "0.1", disabled: !mayOperate(appliance), inputMode: "decimal" })]
    )
  );
  let known = {};
  // The arrows go in tenths, but what lies between is a temperature too.
  const form = h("form", { class: "stack", noValidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const parameters = Object.fromEntries(
      Object.entries(inputs).filter(
        ([name, { value }]) => value !== "" && Number(value) !== known[name]
      ).map(([name, { value }]) => [name, Number(value)])
    );
    if (Object.keys(parameters).length === 0) return;
    if (await line.run("Set", "reefnet:set_param", { parameters })) for (const input of Object.values(inputs)) input.value = "";
  } },
    h("div", { class: "fields" }, Object.entries(PARAMETERS).map(([name, text]) => field(`${text} (°C)`, inputs[name]))),
    h("div", {}, h("button", { type: "submit", class: "primary", disabled: !mayOperate(appliance) }, "Set")));
  return {
    element: form,
    update(setpoints) {
      known = setpoints;
      for (const [name, input] of Object.entries(inputs)) input.placeholder = isNumber(setpoints[name]) ? String(setpoints[name]) : "";
    },
  };
}

function drawPast(place, events) {
  if (events.length === 0) return show(place, h("p", { class: "muted" }, "None so far."));
  return show(place, h("ul", { class: "lines" }, events.map((event) => {
    const { severity, code, message, active, detail } = object(event.data.payload);
    return h(
      "li",
      { class: "row apart" },
      h("span", { class: "grow" }, wire(message ?? code, 80), detail && h("span", { class: "muted small" }, " ", wire(detail, 120))),
      h("span", { class: "row" },
        h("span", { class: "muted small number" }, moment(receivedAt(event))),
        h("span", { class: `badge ${active === true ? (severity === "critical" ? "bad" : "warn") : "good"}` },
          active === true ? wire(plain(severity), 20) : "cleared"
        ),
      ));
  })));
}

function drawModule(place, { firmware, network, uptime_s }) {
  const { ip, ssid, rssi_dbm } = object(network);
  show(
    place,
    h("dt", {}, "Firmware"),
    h("dd", {}, wire(object(firmware).version ?? "–", 40)),
    h("dt", {}, "Up for"),
    h("dd", {}, duration(uptime_s)),
    h("dt", {}, "Network"),
    h("dd", {}, ssid ? wire(ssid, 40) : "none"),
    h("dt", {}, "Address"),
    h("dd", {}, wire(ip ?? "–", 40)),
    h("dt", {}, "Signal"),
    h("dd", {}, number(rssi_dbm, "dBm")));
}
