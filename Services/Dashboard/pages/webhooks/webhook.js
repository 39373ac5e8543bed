// One webhook: its settings, and every delivery with every attempt.

import { h, show, wire } from "../../app/dom.js";
import { counted, moment, plain } from "../../app/format.js";
import { action, ask, check, choice, empty, failed, field, loading, moreButton, notice, pageHead } from "../../app/ui.js";
import { askWebhook, showSecret, stateBadge } from "../webhooks.js";

const TONES = { pending: "active", delivered: "good", dead: "bad" };
/** How long the answer to a test is waited for, in seconds. */
const TEST_WAIT_S = 10;

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
  const draw = () => {
    const switched = action(webhook.enabled ? "Disable" : "Enable", () => change({ enabled: !webhook.enabled }));
    show(head, h("p", { class: "small" }, h("a", { href: "#/webhooks" }, "Webhooks")), pageHead(wire(webhook.name, 80), stateBadge(webhook),
      action("Send a test", async () => {
        const { state } = await api.ask("POST", `${path}/test`, { query: { wait: TEST_WAIT_S }, deadline_ms: (TEST_WAIT_S + 5) * 1000 });
        notice(
          state === "delivered" ? "The receiver took the test." : `The test is ${state}: the delivery below tells why.`,
          state === "delivered" ? "plain" : "bad",
        );
        deliveries.reload();
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
  #api;
  #path;
  #signal;
  #rows = h("ol", { class: "rows" });
  #foot = h("div", {});
  #cursor;
  #state = choice({ "": "All", pending: "Pending", delivered: "Delivered", dead: "Given up" }, "", { onchange: () => this.reload() });

  constructor(api, path, signal) {
    [this.#api, this.#path, this.#signal] = [api, path, signal];
    this.element = h("section", { class: "card flush" }, h("header", {}, h("h2", {}, "Deliveries"), h(
      "div",
      { class: "row" },
      field("State", this.#state),
      h("button", { type: "button", onclick: () => this.#askReplay() }, "Replay…"),
      action("Refresh", async () => this.reload()))), this.#rows, this.#foot);
  }

  async reload() {
    this.#cursor = undefined;
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
    this.#rows.append(...page.deliveries.map((delivery) => this.#draw(delivery)));
    this.#cursor = page.next_cursor;
    show(
      this.#foot,
      this.#cursor !== null ? moreButton(() => this.#more()) : this.#rows.childElementCount === 0 && empty(
        "No deliveries",
        "Messages appear here with every attempt to deliver them.",
      ),
    );
  }

  #draw(delivery) {
    const { id, type, message_id, appliance_id, state, created_at, due_at, attempts } = delivery;
    const last = attempts.at(-1);
    const retry = action("Retry", async () => {
      const next = await this.#api.ask("POST", `${this.#path}/deliveries/${id}/retry`);
      element.replaceWith(this.#draw(next));
      notice("It is tried again now.");
    }, { class: "small", label: `Retry ${message_id}` });
    const element = h("li", {}, h("div", { class: "grow" }, h("span", { class: "name" }, wire(type, 64)),
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
          last.failure ? `, the last: ${plain(last.failure)}` : "",
        ),
        h("p", { class: "muted" }, "webhook-id ", wire(message_id, 64)),
        h("ol", { class: "stack tight" }, attempts.map(({ number, started_at, duration_ms, status, failure, detail }) => h("li", {},
          h("p", {},
            `${number}. ${moment(started_at)}, ${duration_ms} ms: `,
            h("b", {}, status ?? plain(failure ?? "")),
            failure && status ? ` (${plain(failure)})` : "",
          ),
          detail && h("pre", {}, wire(detail, 4096))))))),
    h("span", { class: `badge ${TONES[state]}` }, state === "dead" ? "given up" : state), state !== "pending" && retry);
    return element;
  }

  #askReplay() {
    const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    const since = h("input", { type: "datetime-local", required: true, value: local(Date.now() - 86_400_000) });
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
