// One appliance: what it does now, its charts, its events, its commands.

import { dialectName, stateOf } from "../app/dialects.js";
import { clip, h, perFrame, setText, show, wire } from "../app/dom.js";
import { ago } from "../app/format.js";
import { failed } from "../app/ui.js";
import { mountAlarms } from "./appliance/alarms.js";
import { mountCharts } from "./appliance/charts.js";
import { mountCommands } from "./appliance/commands.js";
import { mountCooker } from "./appliance/cooker.js";
import { mountDevice } from "./appliance/device.js";
import { mountEvents } from "./appliance/events.js";
import { mountHeater } from "./appliance/heater.js";
import { mountLab } from "./appliance/lab.js";
import { mountRobot } from "./appliance/robot.js";
import { mountCamera } from "./appliance/camera.js";

export const title = "Appliance";

const NOW = { epicura: mountCooker, webmacs: mountLab, reefnet: mountHeater, oht50: mountRobot, signaling: mountCamera };
const TABS = { now: "Now", charts: "Charts", events: "Events", alarms: "Alarms", commands: "Commands" };
const TICK_MS = 2_000;

/** @param {import("../app/main.js").Context} context @param {Element} place @param {string[]} path id and tab */
export async function mount(context, place, [id = "", tab = "now"]) {
  const { fleet, signal } = context;
  await fleet.load();
  const appliance = fleet.appliances.get(id);
  if (!appliance) {
    return void show(place, failed(new Error("There is no such appliance among yours."), () => { location.hash = "#/fleet"; }));
  }
  fleet.follow(id);
  document.title = `${clip(appliance.name, 40)} · Martlet`;

  const badge = h("span", { class: "badge off" }, h("bdi"));
  const heard = h("span", { class: "muted number" });
  const update = () => {
    const state = stateOf(appliance);
    badge.className = `badge ${state.tone}`;
    setText(badge.firstChild, clip(state.word, 40));
    setText(heard, appliance.heardAt === undefined ? "never heard" : `heard ${ago(appliance.heardAt)}`);
  };
  const refresh = perFrame(update, signal);
  fleet.onchange(id, refresh, signal);
  const timer = setInterval(refresh, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  update();

  const body = h("div", {});
  const address = `#/appliances/${encodeURIComponent(id)}`;
  show(place,
    h("div", { class: "page-head" }, h("div", {},
      h("p", { class: "small" }, h("a", { href: "#/fleet" }, "Fleet")),
      h("div", { class: "row" }, h("h1", {}, wire(appliance.name, 80)), badge),
      h("p", { class: "about row" },
        h("span", {}, dialectName(appliance.dialect)),
        appliance.name !== id && h("span", {}, wire(id)),
        heard,
      ))),
    h("nav", { class: "tabs", "aria-label": "Of this appliance" }, Object.entries(TABS).map(([name, text]) =>
      h("a", { href: name === "now" ? address : `${address}/${name}`, "aria-current": name === tab ? "page" : undefined }, text))),
    body);
  const mounts = {
    now: NOW[appliance.dialect] ?? mountDevice,
    charts: mountCharts,
    events: mountEvents,
    alarms: mountAlarms,
    commands: mountCommands,
  };
  await (mounts[tab] ?? mounts.now)({ ...context, appliance, path: `/v1/appliances/${encodeURIComponent(id)}` }, body);
}

/**
 * @typedef {import("../app/main.js").Context & { appliance: import("../app/fleet.js").Appliance, path: string }} ApplianceContext `path`:
 *   where the API has it
 */
