// Time and randomness, in one place so that a test can bring its own.

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds since any moment; never goes back
 * @property {(after_ms: number, fire: () => void, name: string) => () => void} after calls `fire` once, unless what it answers is called
 *   before
 * @property {() => number} random from 0 up to 1
 */

/** @type {Clock} */
export const systemClock = {
  now: () => performance.now(),
  after(after_ms, fire) {
    const timer = setTimeout(fire, after_ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** Timers by name: one that is set anew ends the one before. */
export class Timers {
  #clock;
  /** @type {Map<string, () => void>} */
  #running = new Map();

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * @param {string} name
   * @param {number} after_ms
   * @param {() => void} fire
   */
  set(name, after_ms, fire) {
    this.cancel(name);
    this.#running.set(name, this.#clock.after(after_ms, () => {
      this.#running.delete(name);
      fire();
    }, name));
  }

  /** @param {string} name */
  cancel(name) {
    this.#running.get(name)?.();
    this.#running.delete(name);
  }

  cancelAll() {
    for (const name of [...this.#running.keys()]) this.cancel(name);
  }
}
