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

/** The Epicura document's commands, which `/ws` takes. */
/** In their order; any may be left out. */
const STEPS = ["requested", "sent", "acknowledged"];

const SPOKEN = new Set(["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"]);

export const isSpoken = (type) => SPOKEN.has(type);

/**
 * @typedef {{ request_id: string, appliance_id: string, type: string, data?: object, command_id?: string, step?: CommandStep,
 *   progress: (step: CommandStep) => void, resolve: (told: Acknowledgement) => void, reject: (error: CommandError) => void }} Pending
 */

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
    const { code, message } = frame.data;
    switch (frame.type) {
      case "command:requested": this.identified(command, frame.data.command_id); break;
      case "command:sent": this.#step(command, "sent"); break;
      case "command:acknowledged":
        this.#step(command, "acknowledged");
        this.#end(command, () => command.resolve({ command_id: command.command_id, ...(typeof message === "string" && { message }) }));
        break;
      case "command:failed":
      case "error": this.fail(command, String(code ?? "REJECTED"), String(message ?? "The command failed.")); break;
    }
  }

  /**
   * The server has taken it and named it.
   * @param {Pending} command
   * @param {string} id
   */
  identified(command, id) {
    if (typeof id !== "string") return;
    command.command_id = id;
    this.#step(command, "requested");
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
    return [...this.#pending].filter((command) => command.command_id === undefined);
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
    const known = waiting.find((c) => c.command_id !== undefined && c.command_id === data.command_id);
    if (known) return known;
    // A refusal names no request. It has no `id`, as it is in no log: it is about the first that this connection asked for.
    if (type === "command:failed" && id === undefined) return waiting.find((c) => c.command_id === undefined && c.type === data.type);
    return type === "error" && data.code === "TEMPORARILY_UNAVAILABLE" ? waiting.find((c) => c.command_id === undefined) : undefined;
  }

  /** What is told late, as by the API's answer behind the outcome itself, takes no command back. */
  #step(command, step) {
    if (!this.#pending.has(command) || STEPS.indexOf(step) <= STEPS.indexOf(command.step)) return;
    command.step = step;
    command.progress(step);
  }

  #end(command, tell) {
    if (this.#pending.delete(command)) tell();
  }
}
