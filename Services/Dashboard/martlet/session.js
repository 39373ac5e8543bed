// A user's login: keeps the tokens, and renews them before they end.

import { API, APIError } from "./rest.js";

/** A token is renewed when less than this is left of it. */
const MARGIN_MS = 60_000;

/** What a token source throws when only logging in anew helps. */
export class SignedOut extends Error {
  constructor() {
    super("The login has ended: sign in again.");
    this.name = "SignedOut";
  }
}

/**
 * Where a login is kept. `localStorage` is one; so is an object that forgets with the page.
 * @typedef {{ getItem(key: string): string | null, setItem(key: string, value: string): void, removeItem(key: string): void }} Keep
 */

/**
 * A login that several pages of one browser may share: a refresh token is good for one use, so they take turns.
 *
 * Times are told by how long a token lives and by this machine's clock when it came, so a wrong clock does no harm.
 */
export class Session {
  #api;
  #keep;
  #key;
  #fetch;
  #base;
  /** The renewal under way. @type {Promise<string> | undefined} */
  #renewal;
  /** Called when the login has ended. @type {() => void} */
  onend = () => {};

  /**
   * @param {{ api: string, keep: Keep, key?: string, fetch?: typeof fetch }} options `api`: the API's address; `key`: the name under which
   *   the login is kept
   */
  constructor({ api, keep, key = "martlet.session", fetch }) {
    [this.#base, this.#keep, this.#key, this.#fetch] = [api, keep, key, fetch];
    this.#api = new API(api, async () => undefined, fetch);
  }

  /** Who is logged in; null for nobody. */
  get userID() {
    return this.#read()?.user_id ?? null;
  }

  /**
   * @param {string} user
   * @param {string} password
   * @throws {APIError} with `invalid_credentials` or `too_many_attempts`, among others
   */
  async login(user, password) {
    this.#write(await this.#api.ask("POST", "/v1/auth/login", { body: { user_id: user, password } }));
  }

  /** Ends the login here and on the server. */
  async logout() {
    const kept = this.#read();
    this.#keep.removeItem(this.#key);
    if (!kept) return;
    const own = new API(this.#base, async () => kept.access_token, this.#fetch);
    await own.ask("POST", "/v1/auth/logout", { body: { refresh_token: kept.refresh_token } }).catch(() => {});
  }

  /**
   * A token that is good for a minute at least; a `TokenSource`.
   * @param {{ renew: boolean }} ask `renew` when the last one was refused, or ends soon
   * @throws {SignedOut}
   * @throws {APIError} when it cannot be renewed just now
   */
  token = async ({ renew }) => {
    const kept = this.#read();
    if (!kept) throw new SignedOut();
    if (!renew && kept.expires_at - Date.now() > MARGIN_MS) return kept.access_token;
    this.#renewal ??= this.#inTurn(() => this.#renew(kept.access_token)).finally(() => { this.#renewal = undefined; });
    return this.#renewal;
  };

  /** @param {string} old the token to be replaced; another page may have done so meanwhile */
  async #renew(old) {
    const kept = this.#read();
    if (!kept) throw new SignedOut();
    if (kept.access_token !== old) return kept.access_token;
    try {
      const tokens = await this.#api.ask("POST", "/v1/auth/refresh", { body: { refresh_token: kept.refresh_token } });
      this.#write(tokens);
      return tokens.access_token;
    } catch (error) {
      if (!(error instanceof APIError) || error.status !== 401) throw error;
      this.#keep.removeItem(this.#key);
      this.onend();
      throw new SignedOut();
    }
  }

  /** One page at a time, where the browser can tell (it does so on https and on this machine only). */
  #inTurn(work) {
    return globalThis.navigator?.locks ? navigator.locks.request(this.#key, work) : work();
  }

  #read() {
    try {
      return JSON.parse(this.#keep.getItem(this.#key) ?? "null");
    } catch {
      return null;
    }
  }

  #write({ user_id, access_token, refresh_token, expires_in }) {
    this.#keep.setItem(this.#key, JSON.stringify({ user_id, access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 }));
  }
}
