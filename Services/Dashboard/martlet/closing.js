// What a close code asks of a client (the gateway's README, "Close codes").

/**
 * `return`: comes back by the schedule. `later`: the same, but not at once. `token`: comes back with another token only.
 * `never`: would be closed again, so it stays away.
 * @typedef {"return" | "later" | "token" | "never"} Verdict
 */

/** 1008 has these reasons where another token helps; with any other it is about what the client did. */
const TOKEN_REASONS = new Set(["Authentication required", "Invalid or expired token", "Token has been revoked", "User not found"]);

/** The client broke the protocol: the same client would do it again. */
const BROKEN = new Set([1002, 1003, 1007, 1009]);

/**
 * @param {number} code
 * @param {string} reason
 * @returns {Verdict}
 */
export function closeVerdict(code, reason) {
  if (code === 1013) return "later";
  if (code === 1008) return TOKEN_REASONS.has(reason) ? "token" : "never";
  return BROKEN.has(code) ? "never" : "return";
}
