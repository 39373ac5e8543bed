// What a connection does, as a pure state machine: (state, input) → (state, actions). No socket, no clock, no randomness inside.

import { closeVerdict } from "./closing.js";
import { reconnectDelay_ms } from "./schedule.js";

/** Failures in a row after which the API is polled. */
const FAILURES_UNTIL_POLLING = 3;

/** How long each thing may take or is waited for, in milliseconds. */
const TIMES_MS = Object.freeze({
  /** From the attempt to the server's `connected`. */
  open: 10_000,
  /** Between two pings of ours: half of what the server lets pass without a frame, and a bit. */
  ping: 25_000,
  /** For any frame after a ping. */
  pong: 10_000,
  /** The same for the ping that asks whether a connection is still one. */
  doubt: 2_000,
  poll: 1_500,
  /** Before the next try when a token could not be renewed just now. */
  renew: 10_000,
});

/**
 * `closed` is for good: by `close`, or because coming back would not help.
 * @typedef {"connecting" | "websocket" | "polling" | "closed"} ConnectionState
 *
 * `doubted`: what should have been told at once was not.
 * @typedef {{ kind: "start" | "connected" | "frame" | "doubted" | "polled" | "expiring" | "renewalFailed" | "stop" }
 *   | { kind: "ended", code: number, reason: string, random: number }
 *   | { kind: "timer", name: string }
 *   | { kind: "refused", code: number, reason: string }} Input
 *
 * @typedef {{ do: "connect", renewed: boolean } | { do: "drop" } | { do: "send", message: object } | { do: "subscribe" } | { do: "renew" }
 *   | { do: "poll" }
 *   | { do: "state", state: ConnectionState, code?: number, reason?: string }
 *   | { do: "timer", name: string, after_ms: number } | { do: "cancel", name: string }} Action
 */

/** Decides when to connect, to ping, to poll and to give up. */
export class Connection {
  /** @type {ConnectionState} */
  state = "connecting";
  #hasAPI;
  #failures = 0;
  /** Whether the next attempt, or the one under way, has a token that was made because another was refused. */
  #isRenewed = false;
  /** Whether the pong under way is waited for only shortly. */
  #isDoubted = false;

  /** @param {{ hasAPI: boolean }} options whether there is an API to poll */
  constructor({ hasAPI }) {
    this.#hasAPI = hasAPI;
  }

  /**
   * @param {Input} input
   * @returns {Action[]}
   */
  handle(input) {
    if (this.state === "closed") return [];
    switch (input.kind) {
      case "start": return this.#connect();
      case "connected": return this.#connected();
      case "frame": return this.#heard();
      case "doubted": return this.#doubt();
      case "ended": return this.#ended(input);
      case "refused": return this.#close(input.code, input.reason);
      case "stop": return this.#close(1000, "");
      case "polled": return this.state === "polling" ? [timer("poll")] : [];
      case "expiring": return this.state === "websocket" ? [{ do: "renew" }] : [];
      case "renewalFailed": return this.state === "websocket" ? [timer("renew")] : [];
      case "timer": return this.#fired(input.name);
    }
  }

  #connect() {
    return [{ do: "connect", renewed: this.#isRenewed }, timer("open")];
  }

  #connected() {
    this.#failures = 0;
    this.#isRenewed = this.#isDoubted = false;
    return [cancel("open"), cancel("poll"), timer("ping"), ...this.#become("websocket"), { do: "subscribe" }];
  }

  #heard() {
    this.#isDoubted = false;
    return this.state === "websocket" ? [cancel("pong")] : [];
  }

  /** Further doubts do not prolong the wait. */
  #doubt() {
    if (this.state !== "websocket" || this.#isDoubted) return [];
    this.#isDoubted = true;
    return [PING, timer("pong", TIMES_MS.doubt)];
  }

  #ended({ code, reason, random }) {
    const verdict = closeVerdict(code, reason);
    if (verdict === "never" || (verdict === "token" && this.#isRenewed)) return this.#close(code, reason);
    if (verdict === "token") this.#isRenewed = true;
    this.#failures += 1;
    const after_ms = reconnectDelay_ms(this.#failures, random, verdict === "later");
    return [...this.#still(), ...this.#fallBack(code, reason), { do: "timer", name: "retry", after_ms }];
  }

  #fallBack(code, reason) {
    if (this.state === "polling") return [];
    if (!this.#hasAPI || this.#failures < FAILURES_UNTIL_POLLING) return this.#become("connecting", code, reason);
    return [...this.#become("polling", code, reason), { do: "poll" }];
  }

  #fired(name) {
    switch (name) {
      case "retry": return this.#connect();
      // The socket's own end follows.
      case "open":
      case "pong": return [{ do: "drop" }];
      case "ping": return [PING, ...(this.#isDoubted ? [] : [timer("pong")]), timer("ping")];
      case "poll": return this.state === "polling" ? [{ do: "poll" }] : [];
      case "renew": return this.state === "websocket" ? [{ do: "renew" }] : [];
      default: return [];
    }
  }

  #close(code, reason) {
    return [...this.#still(), cancel("retry"), cancel("poll"), { do: "drop" }, ...this.#become("closed", code, reason)];
  }

  /** The timers of a live socket. */
  #still() {
    return ["open", "ping", "pong", "renew"].map(cancel);
  }

  #become(state, code, reason) {
    if (this.state === state) return [];
    this.state = state;
    return [{ do: "state", state, ...(code === undefined ? {} : { code, reason }) }];
  }
}

const PING = { do: "send", message: { type: "ping" } };
const timer = (name, after_ms = TIMES_MS[name]) => ({ do: "timer", name, after_ms });
const cancel = (name) => ({ do: "cancel", name });
