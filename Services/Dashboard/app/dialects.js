// What an appliance of each dialect is doing, in a word, from the newest of what it said.

import { isNumber, number, plain } from "./format.js";
import { list, object } from "./wire.js";

/** Without a word for so long, an appliance that speaks by itself is taken to be away, in milliseconds. */
const SILENCE_MS = { reefnet: 10_000, oht50: 15_000, webmacs: 30_000, generic: 60_000 };

export const DIALECTS = { epicura: "Cooker", webmacs: "Lab", signaling: "Camera", reefnet: "Heater", oht50: "Robot", generic: "Device" };

/** @param {string} dialect */
export const dialectName = (dialect) => DIALECTS[dialect] ?? dialect;

/**
 * @typedef {{ word: string, tone: "good" | "active" | "warn" | "bad" | "off", detail: string }} State `tone` is what fleets are sorted and
 *   filtered by
 * @param {import("./fleet.js").Appliance} appliance
 * @param {number} now milliseconds since 1970
 * @returns {State}
 */
export function stateOf(appliance, now = Date.now()) {
  if (appliance.isLost) return { word: "not yours any more", tone: "off", detail: "" };
  const silence_ms = SILENCE_MS[appliance.dialect];
  const isSilent = silence_ms !== undefined && (appliance.heardAt === undefined || now - appliance.heardAt > silence_ms);
  const read = { epicura: cooker, reefnet: heater, oht50: robot, webmacs: lab, signaling: camera }[appliance.dialect] ?? device;
  const state = read(appliance);
  return isSilent && state.tone !== "bad" ? {
    ...state,
    word: appliance.heardAt === undefined ? "never heard" : "silent",
    tone: "off",
  } : state;
}

const said = (appliance, type) => object(appliance.latest.get(type)?.data);

function cooker(appliance) {
  const status = said(appliance, "appliance:status").status ?? appliance.status;
  const progress = said(appliance, "cooking:progress");
  const isCooking = status === "cooking";
  const detail = isCooking && progress.stage_name ? [plain(progress.stage_name), number(progress.temperature, "°C", 0)].join(" · ") : "";
  const tone = { online: "good", cooking: "active", error: "bad" }[status] ?? "off";
  return { word: typeof status === "string" ? plain(status) : "offline", tone, detail };
}

function heater(appliance) {
  const subsystems = list(heaterPayload(appliance).subsystems).map(object);
  const locked = subsystems.find(({ safety_lockout, state }) => safety_lockout === true || state === "locked");
  const alarmed = subsystems.find(
    ({ badge, visible_alarm }) => badge === "alarm" || (typeof visible_alarm === "string" && visible_alarm !== "")
  );
  const first = locked ?? alarmed ?? subsystems[0];
  const detail = number(object(heaterPayload(appliance).environment).temperature_c, "°C", 2);
  if (!first) return { word: "unknown", tone: "off", detail: "" };
  if (locked) return { word: "locked out", tone: "bad", detail };
  if (alarmed) return { word: "alarm", tone: "bad", detail };
  return { word: plain(first.state), tone: first.state === "heating" ? "active" : "good", detail };
}

/** @param {import("./fleet.js").Appliance} appliance */
export const heaterPayload = (appliance) => object(said(appliance, "reefnet:status").payload);

function robot(appliance) {
  const { status } = said(appliance, "system.status");
  const { position, sensors } = said(appliance, "telemetry.realtime");
  const detail = [
    isNumber(object(position).x) ? `x ${number(position.x, "", 1)}` : "",
    isNumber(object(sensors).battery) ? `battery ${number(sensors.battery, "%", 0)}` : "",
  ].filter(Boolean).join(" · ");
  const tone = { idle: "good", moving: "active", docking: "active", fault: "bad", estop: "bad" }[status] ?? "off";
  return { word: status === "estop" ? "stopped" : typeof status === "string" ? plain(status) : "unknown", tone, detail };
}

function lab(appliance) {
  const points = list(said(appliance, "telemetry:datapoints").datapoints).map(object);
  return {
    word: "measuring",
    tone: "active",
    detail: points.slice(0, 2).map(({ value, event_public_id }) => `${plain(event_public_id)} ${number(value)}`).join(" · "),
  };
}

function camera(appliance) {
  const { battery, recording } = said(appliance, "appliance:presence");
  const detail = [
    recording === true ? "recording" : "",
    isNumber(battery) ? `battery ${number(battery, "%")}` : "",
  ].filter(Boolean).join(" · ");
  return { word: "camera", tone: appliance.heardAt ? "good" : "off", detail };
}

function device(appliance) {
  const { status } = said(appliance, "appliance:status");
  const tone = { offline: "off", error: "bad" }[status] ?? "good";
  return { word: typeof status === "string" ? plain(status) : "heard", tone, detail: "" };
}
