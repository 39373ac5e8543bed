// The log's ids: which events were seen, and where to go on.

/** So many types of one appliance are told apart; past them the oldest is forgotten. */
const TYPES_MAX = 256;

const ID = /^(\d{1,20})-(\d{1,20})$/;

/**
 * Compares the two numbers of two ids, which may be greater than what a `Number` holds.
 * @param {string} left
 * @param {string} right
 * @returns {number} below 0 when `left` is the older
 */
export function compareIDs(left, right) {
  const [a, b] = [ID.exec(left), ID.exec(right)];
  if (!a || !b) return Number(a !== null) - Number(b !== null);
  return compareDigits(a[1], b[1]) || compareDigits(a[2], b[2]);
}

function compareDigits(left, right) {
  const [a, b] = [left.replace(/^0+(?=\d)/, ""), right.replace(/^0+(?=\d)/, "")];
  return a.length - b.length || (a < b ? -1 : Number(a > b));
}

/** @param {unknown} id */
export const isEventID = (id) => typeof id === "string" && ID.test(id);

/** What was seen of one appliance. */
export class Seen {
  /** The greatest id: a subscription's `since`. @type {string | undefined} */
  last;
  /** @type {Map<string, string>} */
  #byType = new Map();

  /** @param {string} [last] the greatest id of what is known already */
  constructor(last) {
    this.last = last;
  }

  /**
   * Whether an event is new, which is remembered. Within one type the server keeps the order, so an older one came before.
   * @param {string} type
   * @param {string | undefined} id an event without one was never stored and cannot come twice
   */
  isNew(type, id) {
    if (id === undefined) return true;
    const before = this.#byType.get(type);
    if (before !== undefined && compareIDs(id, before) <= 0) return false;
    this.#byType.delete(type);
    this.#byType.set(type, id);
    if (this.#byType.size > TYPES_MAX) this.#byType.delete(this.#byType.keys().next().value);
    if (this.last === undefined || compareIDs(id, this.last) > 0) this.last = id;
    return true;
  }

  /** When the log took in what was seen last, ISO 8601 by the server's clock: the window of a question begins there. */
  get time() {
    return this.last && new Date(Number(ID.exec(this.last)[1])).toISOString();
  }
}
