// One webhook: its settings, and every delivery with every attempt.

import { h, show, wire } from "../../app/dom.js";
import { counted, localTime, moment, plain } from "../../app/format.js";
import { action, ask, check, choice, empty, failed, field, loading, moreButton, notice, pageHead } from "../../app/ui.js";
import { askWebhook, showSecret, stateBadge } from "../webhooks.js";

const TONES = { pending: "active", delivered: "good", dead: "bad" };
/** How long the answer to a test is waited for, in seconds. */
const TEST_WAIT_S = 10;
/** What is due now is looked at again each second, so many times: an attempt takes 15 s at most. */
const [LOOK_MS, LOOKS_MAX] = [1_000, 20];
/** At a time. */
const LOOKED_MAX = 10;

/** @param {import("../../app/main.js").Context} context @param {Element} place @param {string} id */
export async function mountWebhook(context, place, id) {
  const { api, signal } = context;
  const path = `/v1/webhooks/${encodeURIComponent(id)}`;
  let webhook = await api.ask("GET", path, { signal });
  const [head, facts] = [h("div", {}), h("section", { class: "card" })];
  const deliveries = new Deliveries(api, path, signal);

  const change = async (body) => {
    webhook = await api.ask("PATCH", path, { body });
    draw();
  };
  // An attempt may have ended it, or brought it back.
  deliveries.onattempt = async () => {
    webhook = await api.ask("GET", path, { signal }).catch(() => webhook);
    draw();
  };
  const draw = () => {
    const switched = action(webhook.enabled ? "Disable" : "Enable", () => change({ enabled: !webhook.enabled }));
    show(head, h("p", { class: "small" }, h("a", { href: "#/webhooks" }, "Webhooks")), pageHead(wire(webhook.name, 80), stateBadge(webhook),
      action("Send a test", async () => {
        const { state } = await api.ask("POST", `${path}/test`, { query: { wait: TEST_WAIT_S }, deadline_ms: (TEST_WAIT_S + 5) * 1000 });
        notice(
          state === "delivered" ? "The receiver took the test."
            : `The receiver has not taken the test${state === "pending" ? " yet" : ""}: the delivery below tells why.`,
          state === "delivered" ? "plain" : "bad",
        );
        await deliveries.reload();
        deliveries.onattempt();
      }, { class: "primary" }),
      h("button", { type: "button", onclick: () => askWebhook(context, webhook, change) }, "Change…"), switched,
      h("button", { type: "button", onclick: () => askRotation(api, path) }, "New secret…"),
      h("button", { type: "button", class: "danger", onclick: () => askRemoval(api, path, webhook) }, "Remove…")));
    show(facts, h("dl", { class: "facts" }, h("dt", {}, "Goes to"), h("dd", {}, wire(webhook.url, 200)),
      h("dt", {}, "Messages"), h("dd", {}, webhook.event_types.length === 0 ? "all" : webhook.event_types.join(", ")),
      h("dt", {}, "Appliances"),
      h("dd", {}, webhook.appliance_ids.length === 0 ? "all of its owner" : wire(webhook.appliance_ids.join(", "), 300)),
      h("dt", {}, "At a time"),
      h("dd", {}, webhook.in_flight_max),
      h("dt", {}, "Owner"),
      h("dd", {}, wire(webhook.owner_id, 60)),
      h("dt", {}, "Made"),
      h("dd", {}, moment(webhook.created_at))));
  };
  draw();
  show(place, head, h("div", { class: "stack" }, facts, deliveries.element));
  deliveries.reload();
}

class Deliveries {
  element;
  /** Called when an attempt has ended that was under way. */
  onattempt = () => {};
  #api;
  #path;
  #signal;
  #rows = h("ol", { class: "rows" });
  /** What is shown, by id. @type {Map<number, { delivery: any, element: Element }>} */
  #shown = new Map();
  #timer;
  #foot = h("div", {});
  #cursor;
  #state = choice({ "": "All", pending: "Pending", delivered: "Delivered", dead: "Given up" }, "", { onchange: () => this.reload() });

  constructor(api, path, signal) {
    [this.#api, this.#path, this.#signal] = [api, path, signal];
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    this.element = h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Deliveries"), h(
      "div",
      { class: "row" },
      field("State", this.#state),
      h("button", { type: "button", onclick: () => this.#askReplay() }, "Replay…"),
      action("Refresh", async () => this.reload()))), this.#rows, this.#foot);
  }

  async reload() {
    this.#cursor = undefined;
    this.#shown.clear();
    show(this.#rows);
    show(this.#foot, loading());
    await this.#more().catch((error) => { if (!this.#signal.aborted) show(this.#foot, failed(error, () => this.reload())); });
  }

  async #more() {
    const page = await this.#api.ask(
      "GET",
      `${this.#path}/deliveries`,
      { query: { limit: 30, cursor: this.#cursor, state: this.#state.value || undefined }, signal: this.#signal },
    );
    for (const delivery of page.deliveries) this.#put(delivery);
    this.#lookAgain();
    this.#cursor = page.next_cursor;
    show(
      this.#foot,
      this.#cursor !== null ? moreButton(() => this.#more()) : this.#rows.childElementCount === 0 && empty(
        "No deliveries",
        "Messages appear here with every attempt to deliver them.",
      ),
    );
  }

  /**
   * Shows a delivery in its place, where what was open and had the focus keeps that; or at the end.
   * @param {any} delivery
   * @param {boolean} [isPressed] its button was pressed, which is disabled meanwhile and has lost the focus
   */
  #put(delivery, isPressed = false) {
    const element = this.#draw(delivery);
    const before = this.#shown.get(delivery.id)?.element;
    this.#shown.set(delivery.id, { delivery, element });
    if (!before) return this.#rows.append(element);
    const [details, hasFocus] = [element.querySelector("details"), before.contains(document.activeElement)];
    if (details) details.open = before.querySelector("details")?.open === true;
    before.replaceWith(element);
    if (hasFocus || (isPressed && document.activeElement === document.body)) element.querySelector("button")?.focus();
  }

  /** Looks again at what is tried just now, until it is known what became of it. */
  #lookAgain(looks = LOOKS_MAX) {
    clearTimeout(this.#timer);
    const isDue = ({ state, due_at }) => state === "pending" && Date.parse(due_at) <= Date.now() + LOOK_MS;
    const due = [...this.#shown.values()].map(({ delivery }) => delivery).filter(isDue).slice(0, LOOKED_MAX);
    if (due.length === 0 || looks === 0 || this.#signal.aborted) return;
    this.#timer = setTimeout(async () => {
      const ask = ({ id }) => this.#api.ask("GET", `${this.#path}/deliveries/${id}`, { signal: this.#signal }).catch(() => null);
      const found = await Promise.all(due.map(ask));
      const changed = found.filter((next, place) => next && this.#shown.has(next.id) &&
        (next.state !== due[place].state || next.attempts.length !== due[place].attempts.length));
      for (const delivery of changed) this.#put(delivery);
      if (changed.length > 0) this.onattempt();
      this.#lookAgain(looks - 1);
    }, LOOK_MS);
  }

  #draw(delivery) {
    const { id, type, message_id, appliance_id, state, created_at, due_at, attempts } = delivery;
    const last = attempts.at(-1);
    const again = state === "pending" ? "Try now" : "Retry";
    const retry = action(again, async () => {
      this.#put(await this.#api.ask("POST", `${this.#path}/deliveries/${id}/retry`), true);
      this.#lookAgain();
      notice("It is tried again now.");
    }, { class: "small", label: `${again} ${message_id}` });
    return h("li", {}, h("div", { class: "grow" }, h("span", { class: "name" }, wire(type, 64)),
      h("span", { class: "muted small" },
        moment(created_at),
        appliance_id ? [" · ", wire(appliance_id, 64)] : "",
        state === "pending" && due_at ? ` · next try ${moment(due_at)}` : "",
      ),
      attempts.length > 0 && h(
        "details",
        { class: "attempts" },
        h("summary", {},
          counted(attempts.length, "attempt"),
          last.failure ? `, the last: ${outcome(last)}` : "",
        ),
        h("p", { class: "muted" }, "webhook-id ", wire(message_id, 64)),
        h("ol", { class: "stack tight" }, attempts.map((attempt) => h("li", {},
          h("p", {}, `${attempt.number}. ${moment(attempt.started_at)}, ${attempt.duration_ms} ms: `, h("b", {}, outcome(attempt))),
          attempt.detail && h("pre", {}, wire(attempt.detail, 4096))))))),
    h("span", { class: `badge ${TONES[state]}` }, state === "dead" ? "given up" : state), attempts.length > 0 && retry);
  }

  #askReplay() {
    const since = h("input", { type: "datetime-local", required: true, value: localTime(Date.now() - 86_400_000) });
    const until = h("input", { type: "datetime-local" });
    const all = check("Also what was delivered");
    ask({
      title: "Replay deliveries",
      about: "What was given up is tried again, the oldest first, under the same webhook-ids.",
      go: "Replay",
      body: [h("div", { class: "fields" }, field("Since", since), field("Until", until, "Up to now when empty.")), all],
      submit: async () => {
        const body = {
          since: new Date(since.value).toISOString(),
          ...(until.value && { until: new Date(until.value).toISOString() }),
          include_delivered: all.querySelector("input").checked,
        };
        const { replayed, next_since } = await this.#api.ask("POST", `${this.#path}/replay`, { body });
        notice(
          `Tried again: ${counted(replayed, "message")}.${next_since ? ` There are more since ${moment(next_since)}.` : ""}`
        );
        this.reload();
      } });
  }
}

/** What came of an attempt, in words: what was answered, or why nothing was. */
function outcome({ status, failure }) {
  const isAnswer = failure === null || failure === "status";
  return [status !== null && `answered ${status}`, !isAnswer && plain(failure)].filter(Boolean).join(", ");
}

function askRotation(api, path) {
  const overlap = h("input", { type: "number", min: 0, max: 168, value: "24", required: true });
  ask({
    title: "Make a new secret",
    about: "Messages are signed with both secrets for a time, in which the receiver can change over.",
    go: "Make it",
    body: [field("Both are valid for (hours)", overlap)],
    submit: async () => {
      const { secret } = await api.ask("POST", `${path}/secret`, { body: { overlap_s: Number(overlap.value) * 3600 } });
      showSecret(secret, () => {});
    } });
}

function askRemoval(api, path, { name }) {
  ask({
    title: "Remove this webhook?",
    about: `“${name.slice(0, 80)}” goes with what waits for it and what is known of its deliveries.`,
    go: "Remove",
    danger: true,
    body: [],
    submit: async () => {
      await api.ask("DELETE", path);
      location.hash = "#/webhooks";
    } });
}
