// How values are written.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
/** From here on a number is written with its power of ten. */
const LARGE = 1e12;
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** @param {unknown} value */
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/**
 * @param {unknown} value
 * @param {string} [unit]
 * @param {number} [digits] exactly so many behind the point
 */
export function number(value, unit = "", digits = undefined) {
  if (!isNumber(value)) return "–";
  const text = Math.abs(value) >= LARGE ? value.toExponential(2) : digits === undefined ? NUMBER.format(value) : value.toFixed(digits);
  return unit ? `${text} ${unit}` : text;
}

/** `3 min 5 s`. @param {unknown} seconds */
export function duration(seconds) {
  if (!isNumber(seconds) || seconds < 0) return "–";
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  if (h >= 48) return `${Math.floor(h / 24)} d ${h % 24} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s} s` : `${s} s`;
}

/** A moment's time of day, with the date where it is not today's. @param {unknown} timestamp ISO 8601 */
export function moment(timestamp) {
  const date = new Date(typeof timestamp === "string" || isNumber(timestamp) ? timestamp : NaN);
  if (Number.isNaN(date.getTime())) return "–";
  return date.toDateString() === new Date().toDateString() ? TIME.format(date) : DAY.format(date);
}

/** A moment as a field of the type `datetime-local` wants it; empty for none. @param {string | number | null} timestamp */
export function localTime(timestamp) {
  const at = timestamp === null ? NaN : new Date(timestamp).getTime();
  return Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** `4 s ago`. @param {number | undefined} at milliseconds since 1970 */
export function ago(at) {
  if (at === undefined) return "not yet";
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} days ago`;
}

/** `golden_brown` → `golden brown`. @param {unknown} word */
export const plain = (word) => (typeof word === "string" ? word.replaceAll("_", " ") : "–");

/** `cooking:stage_change` → `Stage change`. @param {string} type */
export function eventName(type) {
  const words = plain(type.replace(/^(cooking|appliance|telemetry|reefnet)[:.]/, "").replaceAll(/[.:]/g, " "));
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `1 message`, `2 messages`. @param {number} count @param {string} word */
export const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
