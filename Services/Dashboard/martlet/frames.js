// What comes as a text frame, checked before anybody acts on it. What was sent is not to be trusted: any member may be missing or of
// another kind.

import { isEventID } from "./seen.js";

/** Sent to this connection alone; everything else that names an appliance is an event. */
const CONTROL = new Set(["connected", "subscribed", "unsubscribed", "token:expiring", "authenticated", "pong", "error"]);

/**
 * A frame that is understood: `kind` is `control` for the connection's own, `event` for an appliance's.
 * @typedef {{ kind: "control" | "event", type: string, appliance_id?: string, timestamp?: string, id?: string, user_id?: string, data:
 *   Record<string, unknown> }} Frame
 */

/**
 * @param {unknown} text what `MessageEvent.data` holds
 * @returns {Frame | null} null for what is no message: binary, no JSON object, or without a type
 */
export function parseFrame(text) {
  if (typeof text !== "string") return null;
  try {
    return readFrame(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * The same for an event that the API answered with.
 * @param {unknown} value
 * @returns {Frame | null}
 */
export function readFrame(value) {
  if (!isObject(value) || typeof value.type !== "string" || value.type === "") return null;
  if (value.data !== undefined && value.data !== null && !isObject(value.data)) return null;
  if (value.id !== undefined && !isEventID(value.id)) return null;
  const frame = { ...value, data: value.data ?? {}, kind: CONTROL.has(value.type) ? "control" : "event" };
  for (const name of ["appliance_id", "timestamp", "user_id"]) {
    if (frame[name] !== undefined && typeof frame[name] !== "string") return null;
  }
  return frame.kind === "control" || frame.appliance_id !== undefined ? frame : null;
}

/** @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
