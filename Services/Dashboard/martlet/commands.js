// Commands that have no outcome yet.

/**
 * How far a command has come.
 * @typedef {"requested" | "sent" | "acknowledged"} CommandStep
 *
 * @typedef {{ command_id: string, message?: string }} Acknowledgement the device's own word that it has acted
 */

/**
 * Why a command came to nothing. `code`: the server's, such as `APPLIANCE_OFFLINE`; `OUTCOME_UNKNOWN` is this client's own: it may have
 * been carried out.
 */
export class CommandError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "CommandError";
    this.code = code;
  }
}

/** The server settles a command within half a minute; after this much it is not waited for any more. */
export const OUTCOME_LIMIT_MS = 45_000;

/** The server tells within milliseconds that it took a stop. After this much of silence the stop goes by the API, too. */
export const STOP_WORD_MS = 1_000;

/** A stop that the API does not answer is asked for this often, one try within a second of the other. */
export const STOP_TRIES = 10;
const STOP_ANSWER_MS = 3_000;

/** Errors of an appliance that may be about a command to it. */
const REFUSALS = new Set(["APPLIANCE_NOT_FOUND", "TEMPORARILY_UNAVAILABLE"]);

/** In their order; any may be left out. */
const STEPS = ["requested", "sent", "acknowledged"];

/** The Epicura document's commands, which `/ws` takes. */
const SPOKEN = new Set(["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"]);
const STOPS = new Set(["cooking:stop", "emergency_stop"]);

/**
 * A command of which the outcome is waited for. A stop may have gone in two ways, and has an id of each then: the first word that it was
 * carried out counts, and the last that it was not.
 */
export class Pending {
  /** The client's own name for it, the same in every way. */
  request_id = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
  /** In how many ways it was sent. */
  ways = 0;
  /** Of those, how many came to nothing before they had an id. */
  lost = 0;
  /** The ids that the server has told. @type {Set<string>} */
  named = new Set();
  /** Of those, the ones that failed. @type {Set<string>} */
  failed = new Set();
  /** The last connection that it went over. @type {number | undefined} */
  connection;
  isByAPI = false;
  /** Whether the API has not answered yet. */
  isAsking = false;
  /** @type {CommandStep | undefined} */
  step;
  /** Why one way came to nothing, as far as somebody has told. @type {CommandError | undefined} */
  failure;

  /**
   * @param {{ appliance_id: string, type: string, data?: object, progress: (step: CommandStep) => void,
   *   resolve: (told: Acknowledgement) => void, reject: (error: CommandError) => void }} command
   */
  constructor({ appliance_id, type, data, progress, resolve, reject }) {
    [this.appliance_id, this.type, this.data] = [appliance_id, type, data];
    [this.progress, this.resolve, this.reject] = [progress, resolve, reject];
  }

  get isSpoken() {
    return SPOKEN.has(this.type);
  }

  get isStop() {
    return STOPS.has(this.type);
  }

  /** How the API is asked about it: of a stop, each answer is waited for only shortly. */
  get patience() {
    return this.isStop ? { deadline_ms: STOP_ANSWER_MS } : {};
  }

  /** Whether it went over the connection, and nothing was told of it there. */
  get isUnheard() {
    return this.ways - this.lost - this.named.size > (this.isAsking ? 1 : 0);
  }

  get isOver() {
    return this.lost + this.failed.size >= this.ways;
  }
}

/** Brings the events of commands to those who wait for them. */
export class OpenCommands {
  /** In the order in which they were sent. @type {Set<Pending>} */
  #pending = new Set();

  /** @param {Pending} command */
  add(command) {
    this.#pending.add(command);
  }

  /**
   * Takes an event or an `error` frame, which may be about none of them.
   * @param {import("./frames.js").Frame} frame
   */
  take(frame) {
    const command = this.#find(frame);
    if (!command) return;
    const { command_id, code, message } = frame.data;
    switch (frame.type) {
      case "command:requested": this.identified(command, command_id); break;
      case "command:sent": this.#step(command, "sent"); break;
      case "command:acknowledged": this.#acknowledged(command, command_id, message); break;
      case "command:failed":
      case "error": this.#failed(command, command_id, code, message); break;
    }
  }

  /**
   * Takes what the API says of a command.
   * @param {Pending} command
   * @param {{ command_id: string, state: string, code: string | null, message: string | null }} record
   */
  takeRecord(command, { command_id, state, code, message }) {
    this.identified(command, command_id);
    switch (state) {
      case "sent": this.#step(command, "sent"); break;
      case "acknowledged": this.#acknowledged(command, command_id, message); break;
      case "failed": this.#failed(command, command_id, code, message); break;
    }
  }

  /**
   * The server has taken it and named it.
   * @param {Pending} command
   * @param {string} id
   */
  identified(command, id) {
    if (typeof id !== "string") return;
    command.named.add(id);
    // A question without an answer may have been heard.
    command.ways = Math.max(command.ways, command.lost + command.named.size);
    this.#step(command, "requested");
  }

  /**
   * A way in which it went came to nothing before it had an id.
   * @param {Pending} command
   * @param {CommandError} [failure] what was told of that
   */
  lose(command, failure) {
    command.lost += 1;
    this.#endIfOver(command, failure);
  }

  /**
   * @param {Pending} command
   * @param {string} code
   * @param {string} message
   */
  fail(command, code, message) {
    this.#end(command, () => command.reject(new CommandError(code, message)));
  }

  /** Those of a lost connection of which it is not known whether the server took them. */
  get unheard() {
    return [...this.#pending].filter((command) => command.isUnheard);
  }

  /** @param {Pending} command */
  isOpen(command) {
    return this.#pending.has(command);
  }

  failAll(code, message) {
    for (const command of [...this.#pending]) this.fail(command, code, message);
  }

  #find({ type, appliance_id, id, data }) {
    const waiting = [...this.#pending].filter((command) => command.appliance_id === appliance_id);
    if (type === "command:requested" && typeof data.request_id === "string") return waiting.find((c) => c.request_id === data.request_id);
    const known = waiting.find((c) => c.named.has(data.command_id));
    if (known) return known;
    // A refusal names no request. It has no `id`, as it is in no log: it is about the first that this connection asked for.
    if (type === "command:failed" && id === undefined) return waiting.find((c) => c.isUnheard && c.type === data.type);
    return type === "error" && REFUSALS.has(data.code) ? waiting.find((c) => c.isUnheard) : undefined;
  }

  /** What is told late, as by the API's answer behind the outcome itself, takes no command back. */
  #step(command, step) {
    if (!this.#pending.has(command) || STEPS.indexOf(step) <= STEPS.indexOf(command.step)) return;
    command.step = step;
    command.progress(step);
  }

  #acknowledged(command, command_id, message) {
    this.#step(command, "acknowledged");
    this.#end(command, () => command.resolve({ command_id, ...(typeof message === "string" && { message }) }));
  }

  #failed(command, command_id, code, message) {
    const failure = new CommandError(String(code ?? "REJECTED"), String(message ?? "The command failed."));
    if (!command.named.has(command_id)) return this.lose(command, failure);
    command.failed.add(command_id);
    this.#endIfOver(command, failure);
  }

  #endIfOver(command, failure) {
    command.failure = failure ?? command.failure;
    if (!command.isOver) return;
    const unknown = () => new CommandError("OUTCOME_UNKNOWN", "The connection was lost before the server told what became of the command.");
    this.#end(command, () => command.reject(command.failure ?? unknown()));
  }

  #end(command, tell) {
    if (this.#pending.delete(command)) tell();
  }
}
