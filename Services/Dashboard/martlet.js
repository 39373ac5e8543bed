// Martlet's JavaScript client: the Epicura document's `/ws` as an app should use it. A plain ES module that needs nothing else.
//
//   import { MartletClient, Session } from "./martlet.js";
//
//   const api = "https://martlet.example.com/api";
//   const session = new Session({ api, keep: localStorage });
//   await session.login("demo", password);
//   const client = new MartletClient({ url: "wss://martlet.example.com/ws", api, token: session.token });
//   client.onstate = ({ state }) => …;                                        // "connecting", "websocket", "polling", "closed"
//   const leave = client.subscribe("EPIC-001", { event: (event) => … });      // each event once, also across losses of the connection
//   await client.send("EPIC-001", "cooking:stop");                            // resolves on the cooker's own word
//
// The README beside this file says what it does when, and what it promises.

import { systemClock, Timers } from "./martlet/clock.js";
import { CommandError, OpenCommands, OUTCOME_LIMIT_MS, Pending, STOP_TRIES, STOP_WORD_MS } from "./martlet/commands.js";
import { Connection } from "./martlet/connection.js";
import { parseFrame } from "./martlet/frames.js";
import { Poller } from "./martlet/poller.js";
import { reconnectDelay_ms } from "./martlet/schedule.js";
import { API, APIError } from "./martlet/rest.js";
import { Seen } from "./martlet/seen.js";
import { Session, SignedOut } from "./martlet/session.js";

export { API, APIError, CommandError, Session, SignedOut };

/** Between two looks at a command that the server took by the API. */
const COMMAND_LOOK_MS = 1_000;

/**
 * @typedef {import("./martlet/events.js").MartletEvent} MartletEvent
 * @typedef {import("./martlet/connection.js").ConnectionState} ConnectionState
 * @typedef {import("./martlet/commands.js").CommandStep} CommandStep
 * @typedef {import("./martlet/commands.js").Acknowledgement} Acknowledgement
 *
 * @typedef {object} Listener what is called for one appliance; each member may be left out
 * @property {(event: MartletEvent) => void} [event] every event, in the appliance's order, each once
 * @property {(told: { current_status: string, recovered?: boolean }) => void} [subscribed] at every subscription, the first and those
 *   after a lost connection; with `recovered` false the log does not reach back to what was seen last: the API has the history
 * @property {(error: { code: string, message: string }) => void} [lost] the appliance is none of the user's, or not any more; it is not
 *   subscribed again
 *
 * @typedef {object} Options
 * @property {string} url the WebSocket's, such as `wss://martlet.example.com/ws`
 * @property {string} [api] the REST API's, such as `https://martlet.example.com/api`; without it nothing is polled, and only the Epicura
 *   commands are sent
 * @property {string | import("./martlet/rest.js").TokenSource} [token] a token, or who gives one (`Session.token`); without it none is
 *   sent, as a device's local mode wants it
 * @property {typeof WebSocket} [WebSocket]
 * @property {typeof fetch} [fetch]
 * @property {import("./martlet/clock.js").Clock} [clock]
 */

/** One app's connection to Martlet. */
export class MartletClient {
  /**
   * Called at every change of `state`, with the close code and reason that led to it, if one did.
   * @type {(change: { state: ConnectionState, code?: number, reason?: string }) => void}
   */
  onstate = () => {};
  /**
   * Called for what was ignored, with a sentence: frames that are no messages, errors of no appliance.
   * @type {(problem: string) => void}
   */
  onproblem = () => {};

  #options;
  #token;
  #clock;
  #timers;
  #connection;
  /** @type {API | undefined} */
  #api;
  #poller;
  /** @type {WebSocket | undefined} */
  #socket;
  /** Tells an attempt's late answers from those of the attempt under way. */
  #attempt = 0;
  /** @type {Map<string, { listeners: Set<Listener>, seen: Seen, failures: number }>} */
  #appliances = new Map();
  #commands = new OpenCommands();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#token = typeof options.token === "function" ? options.token : fixedToken(options.token);
    this.#clock = options.clock ?? systemClock;
    this.#timers = new Timers(this.#clock);
    this.#connection = new Connection({ hasAPI: options.api !== undefined });
    if (options.api !== undefined) this.#api = new API(options.api, this.#token, options.fetch);
    this.#poller = new Poller(this.#api, this.#clock);
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#connection.state;
  }

  /** Connects, and comes back for ever. */
  start() {
    this.#handle({ kind: "start" });
  }

  /** Ends the connection for good. */
  close() {
    this.#handle({ kind: "stop" });
  }

  /**
   * Watches an appliance from now on; or with `since`, the greatest id of what the API has told of it, from there on, so that nothing
   * falls between.
   * @param {string} appliance
   * @param {Listener} listener
   * @param {{ since?: string }} [options] for who is the first to watch it
   * @returns {() => void} ends it
   */
  subscribe(appliance, listener, { since } = {}) {
    let known = this.#appliances.get(appliance);
    if (!known) {
      known = { listeners: new Set(), seen: new Seen(since), failures: 0 };
      this.#appliances.set(appliance, known);
      this.#ask(appliance, known);
    }
    known.listeners.add(listener);
    return () => {
      if (!known.listeners.delete(listener) || known.listeners.size > 0 || this.#appliances.get(appliance) !== known) return;
      this.#appliances.delete(appliance);
      this.#timers.cancel(`subscribe ${appliance}`);
      this.#say({ type: "unsubscribe", appliance_id: appliance });
    };
  }

  /**
   * Sends a command and waits for its outcome.
   *
   * On a live connection the Epicura document's commands go over it, everything else by the API. A `cooking:stop` of which the server has
   * not told within a second that it took it, or whose connection was lost before, is sent by the API as well, and the connection is
   * looked after; of any other command the outcome is unknown when the connection was lost. A stop that the API does not answer is asked
   * for again.
   * @param {string} appliance
   * @param {string} type
   * @param {object} [data]
   * @param {{ progress?: (step: CommandStep) => void }} [options]
   * @returns {Promise<Acknowledgement>}
   * @throws {CommandError}
   */
  send(appliance, type, data, { progress = () => {} } = {}) {
    return new Promise((resolve, reject) => {
      const settle = (tell) => (value) => {
        for (const name of ["outcome", "word"]) this.#timers.cancel(`${name} ${command.request_id}`);
        tell(value);
      };
      const command = new Pending({ appliance_id: appliance, type, data, progress, resolve: settle(resolve), reject: settle(reject) });
      this.#commands.add(command);
      this.#timers.set(`outcome ${command.request_id}`, OUTCOME_LIMIT_MS, () =>
        this.#commands.fail(
          command,
          "OUTCOME_UNKNOWN",
          "Nothing was heard of the command in time; whether it was carried out is unknown.",
        ));
      if (!command.isSpoken || this.state !== "websocket") return this.#sendByAPI(command);
      this.#sendByConnection(command);
      if (command.isStop) this.#timers.set(`word ${command.request_id}`, STOP_WORD_MS, () => this.#doubt(command));
    });
  }

  // MARK: What the connection decides

  #handle(input) {
    for (const action of this.#connection.handle(input)) this.#perform(action);
  }

  #perform(action) {
    switch (action.do) {
      case "connect": this.#connect(action.renewed); break;
      case "drop": this.#drop(); break;
      case "send": this.#say(action.message); break;
      case "subscribe": for (const [appliance, known] of this.#appliances) this.#ask(appliance, known); break;
      case "renew": this.#renew(); break;
      case "poll": this.#poll(); break;
      case "timer": this.#timers.set(action.name, action.after_ms, () => this.#handle({ kind: "timer", name: action.name })); break;
      case "cancel": this.#timers.cancel(action.name); break;
      case "state": this.#changed(action); break;
    }
  }

  #changed({ state, code, reason }) {
    if (state !== "websocket") this.#rescueCommands();
    if (state === "closed") {
      this.#commands.failAll("OUTCOME_UNKNOWN", "The connection was closed before the outcome was known.");
      this.#timers.cancelAll();
    }
    this.onstate({ state, ...(code !== undefined && { code, reason }) });
  }

  // MARK: The socket

  async #connect(renewed) {
    const attempt = ++this.#attempt;
    let token;
    try {
      token = await this.#token({ renew: renewed });
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error instanceof SignedOut) this.#handle({ kind: "refused", code: 1008, reason: error.message });
      else this.#ended(attempt, 1006, "");
      return;
    }
    if (attempt !== this.#attempt) return;
    const url = new URL(this.#options.url);
    if (token !== undefined) url.searchParams.set("token", token);
    const socket = new (this.#options.WebSocket ?? WebSocket)(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#ended(attempt, code, reason);
  }

  #drop() {
    const socket = this.#socket;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      // A peer that is gone does not answer the closing handshake; it is not waited for.
      socket.close();
    }
    this.#ended(this.#attempt, 1006, "");
  }

  #ended(attempt, code, reason) {
    if (attempt !== this.#attempt) return;
    this.#attempt += 1;
    this.#socket = undefined;
    this.#handle({ kind: "ended", code, reason, random: this.#clock.random() });
  }

  #say(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  async #renew() {
    const attempt = this.#attempt;
    try {
      const token = await this.#token({ renew: true });
      if (attempt === this.#attempt) this.#say({ type: "auth", token });
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#handle(error instanceof SignedOut ? { kind: "refused", code: 1008, reason: error.message } : { kind: "renewalFailed" });
    }
  }

  // MARK: Frames

  #received(data) {
    this.#handle({ kind: "frame" });
    const frame = parseFrame(data);
    if (!frame) return this.onproblem("A frame was ignored that is no message.");
    if (frame.kind === "event") return this.#take(frame);
    switch (frame.type) {
      case "connected": this.#handle({ kind: "connected" }); break;
      case "subscribed": this.#subscribed(frame); break;
      case "token:expiring": this.#handle({ kind: "expiring" }); break;
      case "error": this.#erred(frame); break;
    }
  }

  /** @param {import("./martlet/frames.js").Frame} frame */
  #take({ kind, ...event }) {
    const known = this.#appliances.get(event.appliance_id);
    if (known && !known.seen.isNew(event.type, event.id)) return;
    this.#commands.take(event);
    this.#tell(known, "event", event);
  }

  #subscribed({ appliance_id, data }) {
    const known = this.#appliances.get(appliance_id);
    if (known) known.failures = 0;
    this.#tell(known, "subscribed", data);
  }

  #erred(frame) {
    const { appliance_id, data } = frame;
    this.#commands.take(frame);
    const known = this.#appliances.get(appliance_id);
    if (!known) return this.onproblem(`The server told of an error: ${String(data.message ?? data.code)}`);
    if (data.code === "TEMPORARILY_UNAVAILABLE") {
      known.failures += 1;
      this.#timers.set(
        `subscribe ${appliance_id}`,
        reconnectDelay_ms(known.failures, this.#clock.random()),
        () => this.#ask(appliance_id, known),
      );
    } else if (data.code === "APPLIANCE_NOT_FOUND" || data.code === "TOO_MANY_SUBSCRIPTIONS") {
      this.#appliances.delete(appliance_id);
      this.#tell(known, "lost", { code: data.code, message: String(data.message ?? "") });
    }
  }

  #ask(appliance, { seen }) {
    if (this.state === "websocket") this.#say({ type: "subscribe", appliance_id: appliance, ...(seen.last && { since: seen.last }) });
  }

  /** A listener that throws is the app's own trouble: the others, and the connection, go on. */
  #tell(known, what, value) {
    for (const listener of known?.listeners ?? []) {
      try {
        listener[what]?.(value);
      } catch (error) {
        this.onproblem(`A listener failed: ${error}`);
        console.error(error);
      }
    }
  }

  // MARK: Polling

  async #poll() {
    const isWanted = () => this.state === "polling";
    try {
      await this.#poller.round(this.#appliances, isWanted, (event) => this.#take(event), (appliance, error) => {
        const known = this.#appliances.get(appliance);
        this.#appliances.delete(appliance);
        this.#tell(known, "lost", { code: "APPLIANCE_NOT_FOUND", message: error.message });
      });
    } catch (error) {
      if (error instanceof SignedOut) return this.#handle({ kind: "refused", code: 1008, reason: error.message });
      this.onproblem(`A round of polling failed: ${error}`);
    }
    this.#handle({ kind: "polled" });
  }

  // MARK: Commands

  #sendByConnection(command) {
    const { type, appliance_id, request_id, data } = command;
    command.ways += 1;
    command.connection = this.#attempt;
    this.#say({ type, appliance_id, request_id, ...(data && { data }) });
  }

  /** Nothing was told of a stop: it does not wait until the connection is given up, which may be gone without a word. */
  #doubt(command) {
    if (!command.isUnheard) return;
    this.#rescue(command);
    this.#handle({ kind: "doubted" });
  }

  /** A stop goes by the API as well. The device may hear it more than once then, which is one stop. */
  #rescue(command) {
    if (command.isStop && this.#api && !command.isByAPI) this.#sendByAPI(command);
  }

  /** The connection was lost: nothing will be told of what the server may not have heard. */
  #rescueCommands() {
    for (const command of this.#commands.unheard) {
      this.#rescue(command);
      this.#commands.lose(command);
    }
  }

  async #sendByAPI(command) {
    if (!this.#api) {
      return this.#commands.fail(command, "NOT_CONNECTED", "There is no connection, so nothing was sent; try again in a moment.");
    }
    command.ways += 1;
    command.isByAPI = command.isAsking = true;
    const path = `/v1/appliances/${encodeURIComponent(command.appliance_id)}/commands`;
    try {
      const taken = await this.#order(command, path);
      command.isAsking = false;
      this.#follow(command, `${path}/${encodeURIComponent(taken.command_id)}`, taken);
    } catch (error) {
      command.isAsking = false;
      const code = error instanceof APIError ? error.code.toUpperCase() : "SIGNED_OUT";
      // Its events may have told that it was taken all the same.
      if (command.isUnheard) this.#commands.lose(command, new CommandError(code, error.message));
    }
  }

  /**
   * A stop is asked for again until there is an answer, while the questions before it go on: each may have gone by a kept connection that is
   * gone without a word. It goes over the WebSocket that has come about meanwhile, too.
   * @returns {Promise<any>} the first answer; else the last error
   */
  #order(command, path) {
    const { type, request_id, data } = command;
    const body = { type, request_id, ...(data && { data }) };
    let [left, open, failure] = [command.isStop ? STOP_TRIES : 1, 0, undefined];
    return new Promise((resolve, reject) => {
      const ask = () => {
        [left, open] = [left - 1, open + 1];
        this.#api.ask("POST", path, { body, ...command.patience }).then(resolve, failed);
        if (left > 0) this.#timers.set(`again ${request_id}`, reconnectDelay_ms(1, this.#clock.random()), next);
      };
      const failed = (error) => {
        [open, failure] = [open - 1, error];
        const isPassing = error instanceof APIError && (error.status === 0 || error.status >= 500);
        if (!isPassing || (open === 0 && left === 0)) reject(error);
      };
      const next = () => {
        // What was told meanwhile is not asked for any more.
        if (!this.#commands.isOpen(command) || command.named.size > 0) left = 0;
        if (left === 0) return open === 0 && reject(failure);
        if (command.isSpoken && this.state === "websocket" && command.connection !== this.#attempt) this.#sendByConnection(command);
        ask();
      };
      ask();
    }).finally(() => this.#timers.cancel(`again ${request_id}`));
  }

  /** Looks at the command until it is settled, by what is seen here or by its events. */
  #follow(command, path, record) {
    const { command_id } = record;
    this.#commands.takeRecord(command, record);
    if (!this.#commands.isOpen(command) || command.failed.has(command_id) || this.state === "closed") return;
    this.#timers.set(`look ${command_id}`, COMMAND_LOOK_MS, async () => {
      const next = await this.#api.ask("GET", path, command.patience).catch(() => record);
      this.#follow(command, path, next);
    });
  }
}

/** A token that cannot be renewed. */
function fixedToken(token) {
  return async ({ renew }) => {
    if (renew && token !== undefined) throw new SignedOut();
    return token;
  };
}
