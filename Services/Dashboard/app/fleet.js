// The user's appliances and the newest of what each said. One subscription for each, for as long as the page lives, whatever page is shown.

import { compareIDs } from "../martlet/seen.js";

/** A connection may subscribe to 256; some are left for appliances that are opened one by one. */
const FOLLOWED_MAX = 240;
/** Questions for the past at a time, so that a page's own are not behind two hundred others. */
const QUESTIONS_MAX = 3;
const PAST_EVENTS = 25;
/** Live events of one appliance that are kept: more than the persister may be behind. */
const RECENT_MAX = 100;
/** Types of one appliance whose newest event is kept. */
const TYPES_MAX = 128;

/**
 * @typedef {import("../martlet/events.js").MartletEvent} MartletEvent
 * @typedef {object} Appliance
 * @property {string} id
 * @property {string} name
 * @property {string} dialect
 * @property {string} owner_id
 * @property {"watch" | "operate" | "own" | "administer"} permission
 * @property {Map<string, MartletEvent>} latest the newest event of each type
 * @property {MartletEvent[]} recent the last live events, oldest first; the newest may not be stored yet
 * @property {string | undefined} status what `subscribed` told
 * @property {number | undefined} heardAt when its last event came, milliseconds since 1970
 * @property {boolean} isLost
 */

export class Fleet extends EventTarget {
  /** @type {Map<string, Appliance>} */
  appliances = new Map();
  #api;
  #client;
  /** @type {Map<string, () => void>} */
  #followed = new Map();
  #waiting = [];
  #asking = 0;
  /** @type {Promise<void> | undefined} */
  #loading;

  /**
   * @param {import("../martlet/rest.js").API} api
   * @param {import("../martlet.js").MartletClient} client
   */
  constructor(api, client) {
    super();
    [this.#api, this.#client] = [api, client];
  }

  /** Asks which appliances there are, and follows them. Once; `reload` asks anew. */
  load() {
    this.#loading ??= this.reload().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async reload() {
    const list = await this.#api.all("/v1/appliances", "appliances");
    const ids = new Set(list.map(({ id }) => id));
    for (const id of this.appliances.keys()) if (!ids.has(id)) this.#forget(id);
    for (const item of list) {
      const known = this.appliances.get(item.id);
      if (known) Object.assign(known, item, { isLost: false });
      else this.appliances.set(item.id, { ...item, latest: new Map(), recent: [], status: undefined, heardAt: undefined, isLost: false });
      if (this.#followed.size < FOLLOWED_MAX) this.follow(item.id);
    }
    this.dispatchEvent(new Event("list"));
  }

  /** Watches one appliance from now on, also past the bound of those that are watched by themselves. */
  follow(id) {
    if (!this.appliances.has(id) || this.#followed.has(id)) return;
    if (this.#followed.size > FOLLOWED_MAX) this.#unfollow(this.#followed.keys().next().value);
    this.#followed.set(id, () => {});
    this.#waiting.push(id);
    this.#followNext();
  }

  /** First what was said before, then what is said from there on: nothing falls between. */
  async #followNext() {
    if (this.#asking >= QUESTIONS_MAX || this.#waiting.length === 0) return;
    const id = this.#waiting.shift();
    this.#asking += 1;
    const since = await this.#askPast(id);
    this.#asking -= 1;
    if (this.#followed.has(id)) this.#subscribe(this.appliances.get(id), since);
    this.#followNext();
  }

  #subscribe(appliance, since) {
    const listener = {
      event: (event) => this.#take(appliance, event, true),
      subscribed: ({ current_status, recovered }) => {
        appliance.status = current_status;
        this.#tell("change", appliance);
        if (recovered === false) this.#askPast(appliance.id);
      },
      lost: () => {
        appliance.isLost = true;
        this.#followed.delete(appliance.id);
        this.#tell("change", appliance);
      },
    };
    this.#followed.set(appliance.id, this.#client.subscribe(appliance.id, listener, { since }));
  }

  /**
   * Calls back for every live event of an appliance, each once.
   * @param {string} id
   * @param {(event: MartletEvent) => void} listener
   * @param {AbortSignal} signal
   */
  onevent(id, listener, signal) {
    this.addEventListener("event", ({ detail }) => detail.appliance.id === id && listener(detail.event), { signal });
  }

  /**
   * Calls back when something about an appliance is new.
   * @param {string | undefined} id undefined for any
   * @param {(appliance: Appliance) => void} listener
   * @param {AbortSignal} signal
   */
  onchange(id, listener, signal) {
    this.addEventListener(
      "change",
      ({ detail }) => (id === undefined || detail.appliance.id === id) && listener(detail.appliance),
      { signal },
    );
  }

  end() {
    for (const id of [...this.#followed.keys()]) this.#unfollow(id);
  }

  #take(appliance, event, isLive) {
    const { latest } = appliance;
    const before = latest.get(event.type);
    if (before?.id && event.id && compareIDs(event.id, before.id) <= 0) return;
    latest.set(event.type, event);
    if (latest.size > TYPES_MAX) latest.delete(latest.keys().next().value);
    const at = receivedAt(event);
    if (appliance.heardAt === undefined || at > appliance.heardAt) appliance.heardAt = at;
    if (isLive) {
      appliance.recent.push(event);
      if (appliance.recent.length > RECENT_MAX) appliance.recent.shift();
      this.#tell("event", appliance, event);
    }
    this.#tell("change", appliance);
  }

  #tell(type, appliance, event) {
    this.dispatchEvent(new CustomEvent(type, { detail: { appliance, event } }));
  }

  /** Takes in the newest of what is stored, and answers the greatest id of that. */
  async #askPast(id) {
    const query = { order: "newest_first", limit: PAST_EVENTS };
    try {
      const { events } = await this.#api.ask("GET", `/v1/appliances/${encodeURIComponent(id)}/events`, { query });
      const appliance = this.appliances.get(id);
      for (const event of events) {
        if (appliance && !appliance.latest.has(event.type)) this.#take(appliance, event, false);
      }
      return events[0]?.id;
    } catch {
      // The live events come all the same.
      return undefined;
    }
  }

  #unfollow(id) {
    this.#followed.get(id)?.();
    this.#followed.delete(id);
  }

  #forget(id) {
    this.#unfollow(id);
    this.appliances.delete(id);
  }
}

/** When the log took an event in: its id begins with that. The device's own clock may say anything. */
export function receivedAt(event) {
  return event.id ? Number(event.id.split("-")[0]) : Date.now();
}
