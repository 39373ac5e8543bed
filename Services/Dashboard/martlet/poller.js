// Live events without a WebSocket: what the API has stored since what was seen last.

import { readFrame } from "./frames.js";
import { APIError } from "./rest.js";

/** Questions at a time. */
const QUESTIONS_MAX = 6;
/** Of an appliance in one round; the rest comes in the next. */
const EVENTS_MAX = 500;
/** Of an appliance of which nothing was seen yet. */
const FIRST_EVENTS = 20;

/** Asks for all appliances of a client, a few at a time. */
export class Poller {
  #api;
  #clock;
  /** Until when nothing is asked, because the API wants some peace. */
  #quietUntil = -Infinity;

  /**
   * @param {import("./rest.js").API | undefined} api
   * @param {import("./clock.js").Clock} clock
   */
  constructor(api, clock) {
    [this.#api, this.#clock] = [api, clock];
  }

  /**
   * One round over all appliances. What cannot be had now is had in the next round.
   * @param {Map<string, { seen: import("./seen.js").Seen }>} appliances
   * @param {() => boolean} isWanted false ends the round, and what is on its way is not told
   * @param {(event: object) => void} tell in each appliance's order
   * @param {(appliance: string, error: APIError) => void} lose an appliance that is none of the user's
   * @throws {import("./session.js").SignedOut}
   */
  async round(appliances, isWanted, tell, lose) {
    const waiting = [...appliances.keys()];
    const work = async () => {
      for (let id = waiting.shift(); id !== undefined && isWanted(); id = waiting.shift()) {
        const known = appliances.get(id);
        if (known) await this.#ask(id, known.seen, isWanted, tell, lose);
      }
    };
    if (this.#clock.now() >= this.#quietUntil) await Promise.all(Array.from({ length: QUESTIONS_MAX }, work));
  }

  async #ask(id, seen, isWanted, tell, lose) {
    const from = seen.time;
    const query = from ? { from, limit: EVENTS_MAX } : { order: "newest_first", limit: FIRST_EVENTS };
    try {
      const { events } = await this.#api.ask("GET", `/v1/appliances/${encodeURIComponent(id)}/events`, { query });
      if (!isWanted()) return;
      for (const value of from ? events : events.reverse()) {
        const event = readFrame(value);
        if (event?.kind === "event") tell(event);
      }
    } catch (error) {
      if (!(error instanceof APIError)) throw error;
      if (error.code === "appliance_not_found" && isWanted()) lose(id, error);
      this.#quietUntil = Math.max(this.#quietUntil, this.#clock.now() + error.retryAfter_ms);
    }
  }
}
