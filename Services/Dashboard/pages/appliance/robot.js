// A robot: where it is, what it does, how it is, and how to stop it.

import { CommandLine, armedStop, mayOperate } from "../../app/commanding.js";
import { h, perFrame, show, showOnce, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { duration, isNumber, moment, number, plain } from "../../app/format.js";
import { card, empty } from "../../app/ui.js";
import { object } from "../../app/wire.js";
import { Plan } from "./plan.js";

const MISSION_TYPES = ["mission.started", "mission.progress", "mission.completed"];
const MODULES_MAX = 100;

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountRobot(context, place) {
  const { api, client, fleet, appliance, path, signal } = context;
  const line = new CommandLine(client, appliance.id);
  const plan = new Plan();
  const [mission, health, modules, banner] = [
    h("div", { class: "stack" }),
    h("div", { class: "stack" }),
    h("ul", { class: "stack tight" }),
    h("div", {}),
  ];
  const known = new Map();
  const stop = armedStop(
    "Emergency stop",
    "Press again to stop",
    () => line.run("Emergency stop", "emergency_stop", { reason: "manual_trigger" }),
  );
  stop.disabled = !mayOperate(appliance);

  const draw = () => {
    drawBanner(banner, appliance);
    drawMission(mission, appliance);
    drawHealth(health, appliance);
    plan.draw(appliance);
  };
  const refresh = perFrame(draw, signal);
  fleet.onchange(appliance.id, refresh, signal);
  fleet.onevent(appliance.id, (event) => take(event, plan, known, modules), signal);
  const about = mayOperate(appliance)
    ? "Press twice on the same place; the second press counts within five seconds."
    : "Stopping this robot is for its owner and operators.";
  const stopping = h("section", { class: "card stack", "aria-label": "Emergency stop" }, stop, line.element,
    h("p", { class: "muted small" }, about));
  // The stop comes first: on a phone it is what is seen without scrolling.
  show(place, h("div", { class: "stack" },
    banner,
    h("div", { class: "halves" },
      h("div", { class: "stack" }, stopping, card("Health", health), card("Modules", modules)),
      h("div", { class: "stack" }, card("Plan", plan.element), card("Mission", mission)),
    )));
  draw();
  drawModules(modules, known);
  const query = { type: "safety.zone_entered,module.discovered,module.status_change,mission.started", order: "newest_first", limit: 200 };
  const { events } = await api.ask("GET", `${path}/events`, { query, signal }).catch(() => ({ events: [] }));
  for (const event of events.reverse()) take(event, plan, known, modules);
  draw();
}

function take(event, plan, known, modules) {
  plan.take(event);
  if (!event.type.startsWith("module.") || typeof event.data.module_id !== "string") return;
  const before = known.get(event.data.module_id) ?? {};
  known.set(event.data.module_id, { ...before, ...event.data, status: event.data.new_status ?? event.data.status ?? before.status });
  if (known.size > MODULES_MAX) known.delete(known.keys().next().value);
  drawModules(modules, known);
}

function drawBanner(place, appliance) {
  const [stop, clear] = ["safety.estop", "safety.clear"].map((type) => appliance.latest.get(type));
  const isOver = !stop || (clear && receivedAt(clear) > receivedAt(stop));
  showOnce(place, isOver ? null : stop, () => {
    if (isOver) return [];
    const { trigger_type, emergency_level } = object(stop.data);
    return [h("p", { class: `banner ${emergency_level === "warning" ? "warn" : "bad"}`, role: "alert" },
      wire(`Stopped since ${moment(receivedAt(stop))} (${plain(trigger_type)}). It waits to be cleared.`, 200)
    )];
  });
}

function drawMission(place, appliance) {
  const newest = MISSION_TYPES.map((type) => appliance.latest.get(type)).filter(Boolean).sort((a, b) => receivedAt(b) - receivedAt(a))[0];
  if (!newest) return show(place, empty("No mission yet", "The robot tells when one begins."));
  const started = object(appliance.latest.get("mission.started")?.data);
  const { mission_id, progress, remaining_distance, estimated_completion, status, summary, completion_time } = object(newest.data);
  const isOver = newest.type === "mission.completed";
  const percent = isOver && status === "success" ? 100 : isNumber(progress) ? progress : 0;
  return show(place,
    h(
      "div",
      { class: "row apart" },
      h("p", {}, h("b", {}, wire(mission_id, 64)), h("span", { class: "muted" }, " ", wire(plain(started.mission_type ?? ""), 40))),
      h("span", { class: `badge ${isOver ? (status === "success" ? "good" : "warn") : "active"}` },
        isOver ? wire(plain(status), 40) : "under way"
      )),
    h("progress", { class: "bar", max: 100, value: percent, "aria-label": "Progress of the mission" }),
    h("dl", { class: "facts" }, isOver
      ? [
        h("dt", {}, "Took"),
        h("dd", {}, duration(completion_time)),
        h("dt", {}, "Distance"),
        h("dd", {}, number(object(summary).distance_traveled, "", 1)),
      ]
      : [
        h("dt", {}, "Progress"),
        h("dd", {}, number(progress, "%", 1)),
        h("dt", {}, "Distance left"),
        h("dd", {}, number(remaining_distance, "", 1)),
        h("dt", {}, "There by"),
        h("dd", {}, moment(estimated_completion)),
      ]));
}

function drawHealth(place, appliance) {
  const { health, state, uptime, version } = object(appliance.latest.get("system.status")?.data);
  const { sensors, velocity } = object(appliance.latest.get("telemetry.realtime")?.data);
  const { cpu, memory, disk, temperature } = object(health);
  const battery = object(sensors).battery;
  const meters = [
    ["Battery", battery, battery < 15 ? "bad" : battery < 30 ? "warn" : ""],
    ["Processor", cpu, cpu > 90 ? "bad" : ""],
    ["Memory", memory, memory > 90 ? "bad" : ""],
    ["Disk", disk, disk > 90 ? "bad" : ""],
  ];
  show(place, h("div", { class: "meters" }, meters.map(([name, value, tone]) => h("div", {},
    h("p", { class: "row apart small" }, h("span", { class: "muted" }, name), h("b", { class: "number" }, number(value, "%", 0))),
    h("progress", { class: `bar ${tone}`, max: 100, value: isNumber(value) ? value : 0, "aria-label": name })))),
  h(
    "dl",
    { class: "facts" },
    h("dt", {}, "State"),
    h("dd", {}, wire(plain(state), 40)),
    h("dt", {}, "Speed"),
    h("dd", {}, number(object(velocity).linear, "", 1)),
    h("dt", {}, "Temperature"),
    h("dd", {}, number(temperature ?? object(sensors).temperature, "°C", 1)),
    h("dt", {}, "Up for"),
    h("dd", {}, duration(uptime)),
    h("dt", {}, "Version"),
    h("dd", {}, wire(version ?? "–", 40))));
}

function drawModules(place, known) {
  if (known.size === 0) return show(place, h("li", { class: "muted" }, "None has been told of."));
  return show(place, [...known.values()].map(({ module_id, module_type, status, error_description }) => h("li", { class: "row apart" },
    h("span", {}, wire(module_id, 64), h("span", { class: "muted small" }, " ", wire(plain(module_type ?? ""), 40))),
    h(
      "span",
      { class: "row" },
      error_description && status !== "online" && h("span", { class: "muted small" }, wire(error_description, 80)),
      h("span", { class: `badge ${status === "online" ? "good" : status === "error" ? "bad" : "off"}` }, wire(plain(status), 40))))));
}
