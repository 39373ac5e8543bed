// When to come back: the Epicura document's "Client Reconnection Strategy".

/** Upper bounds of the wait before each attempt, the last for all further ones. */
const BOUNDS_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** From this attempt on the wait is long enough for a server that asked for some peace. */
const LATER_ATTEMPT = 3;

/**
 * How long to wait before an attempt: a random 50 to 100 % of the document's delay, so that many clients do not come back as one.
 * @param {number} attempt from 1
 * @param {number} random from 0 up to 1
 * @param {boolean} [later] whether the server asked to be left alone for a while (close code 1013)
 * @returns {number} milliseconds
 */
export function reconnectDelay_ms(attempt, random, later = false) {
  const place = Math.max(attempt, later ? LATER_ATTEMPT : 1);
  const bound_ms = BOUNDS_MS[Math.min(place, BOUNDS_MS.length) - 1];
  return bound_ms * (0.5 + random / 2);
}
