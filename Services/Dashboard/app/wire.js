// Members of what devices said: any may be missing, or something else than the document has it.

/** @param {unknown} value @returns {Record<string, any>} an empty one for what is none */
export const object = (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {});

/** @param {unknown} value @returns {any[]} */
export const list = (value) => (Array.isArray(value) ? value : []);

/** @param {unknown} value @param {string} [otherwise] */
export const string = (value, otherwise = "") => (typeof value === "string" ? value : otherwise);

const DEPTH_MAX = 8;

/**
 * The readings inside an event, under the names that the API has for them: dotted paths of numbers.
 * @param {import("../martlet/events.js").MartletEvent} event
 * @returns {Map<string, number>}
 */
export function readingsIn(event) {
  const readings = new Map();
  if (event.type === "telemetry:datapoints") {
    for (const point of list(event.data.datapoints)) {
      if (Number.isFinite(object(point).value)) readings.set(String(point.event_public_id), point.value);
    }
  } else {
    collect(event.type.startsWith("reefnet:") ? object(event.data.payload) : event.data, "", readings, 0);
  }
  return readings;
}

function collect(value, path, readings, depth) {
  if (Number.isFinite(value)) readings.set(path, value);
  if (depth >= DEPTH_MAX || typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const at = (key) => (path ? `${path}.${key}` : key);
    // A heater's subsystems are known by their key, its sensors by their label.
    const key = Array.isArray(value) ? string(object(member).key) || string(object(member).label) || name : name;
    const isSensor = Array.isArray(value) && typeof object(member).label === "string" && Number.isFinite(object(member).value);
    collect(isSensor ? member.value : member, at(key), readings, depth + 1);
  }
}
