// Questions to the REST API: each with a deadline, a token, and its errors as RFC 9457 tells them.

const DEADLINE_MS = 10_000;

/** An answer that is none of success: `code` for programs, `message` for people. */
export class APIError extends Error {
  /**
   * @param {string} code the problem's; `unreachable` and `not_understood` are this client's own
   * @param {string} message
   * @param {{ status?: number, retryAfter_ms?: number, errors?: { place: string, detail: string }[] }} [more]
   */
  constructor(code, message, { status = 0, retryAfter_ms = 0, errors = [] } = {}) {
    super(message);
    this.name = "APIError";
    this.code = code;
    this.status = status;
    this.retryAfter_ms = retryAfter_ms;
    /** Each place in the request that is wrong. */
    this.errors = errors;
  }
}

/** @typedef {(ask: { renew: boolean }) => Promise<string | undefined>} TokenSource */

/** The API at one address, for one user. */
export class API {
  #base;
  #token;
  #fetch;

  /**
   * @param {string} base such as `https://martlet.example.com/api`
   * @param {TokenSource} token
   * @param {typeof fetch} [fetcher]
   */
  constructor(base, token, fetcher = (...all) => fetch(...all)) {
    this.#base = base.replace(/\/$/, "");
    this.#token = token;
    this.#fetch = fetcher;
  }

  /**
   * Asks, and once more with a new token when this one is refused.
   * @param {string} method
   * @param {string} path below the base, such as `/v1/appliances`
   * @param {{ query?: Record<string, string | number | undefined>, body?: unknown, deadline_ms?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<any>} the answer's JSON; null where it has none
   * @throws {APIError}
   */
  async ask(method, path, options = {}) {
    const token = await this.#token({ renew: false });
    try {
      return await this.#once(method, path, options, token);
    } catch (error) {
      if (error.status !== 401 || token === undefined) throw error;
      return this.#once(method, path, options, await this.#token({ renew: true }));
    }
  }

  /**
   * Every item of a list, page after page.
   * @param {string} path
   * @param {string} name the member of a page that holds them
   * @param {Record<string, string | number | undefined>} [query]
   * @param {number} [countMax] no more than so many
   */
  async all(path, name, query = {}, countMax = 10_000) {
    const items = [];
    let cursor;
    do {
      const page = await this.ask("GET", path, { query: { limit: 1000, ...query, cursor } });
      items.push(...page[name]);
      cursor = page.next_cursor ?? undefined;
    } while (cursor && items.length < countMax);
    return items;
  }

  async #once(method, path, { query = {}, body, deadline_ms = DEADLINE_MS, signal }, token) {
    const known = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = known.length ? `?${new URLSearchParams(known)}` : "";
    const deadline = AbortSignal.timeout(deadline_ms);
    const headers = { Accept: "application/json" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    let text;
    try {
      answer = await this.#fetch(`${this.#base}${path}${search}`, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit",
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      });
      text = await answer.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new APIError("unreachable", "The API does not answer. Is this device online?");
    }
    return read(answer, text);
  }
}

function read(answer, text) {
  let value = null;
  try {
    value = text === "" ? null : JSON.parse(text);
  } catch {
    if (answer.ok) throw new APIError("not_understood", "The API answered with something else than JSON.", { status: answer.status });
  }
  if (answer.ok) return value;
  const code = typeof value?.code === "string" ? value.code : `http_${answer.status}`;
  throw new APIError(code, String(value?.detail ?? `The API answered ${answer.status}.`), {
    status: answer.status,
    retryAfter_ms: 1000 * (Number(answer.headers.get("Retry-After")) || 0),
    errors: Array.isArray(value?.errors) ? value.errors : [],
  });
}
