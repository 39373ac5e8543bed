// Alarms, newest first, as they are raised, acknowledged and cleared.

import { arrange, h, show, wire } from "../../app/dom.js";
import { mayOperate } from "../../app/commanding.js";
import { moment, number, plain } from "../../app/format.js";
import { action, empty, failed, loading, moreButton, notice } from "../../app/ui.js";

const TONES = { critical: "bad", warning: "warn", info: "active" };
/** Events come in bursts, and what they tell of is stored a moment later. */
const SETTLE_MS = 800;

export class AlarmList {
  element;
  #context;
  #path;
  #rows = h("ol", { class: "rows" });
  /** The rows, by alarm, with what they were drawn from. @type {Map<number, { text: string, element: Element }>} */
  #drawn = new Map();
  #foot = h("div", {});
  #state = "open";
  #cursor;
  #timer;

  /**
   * @param {import("../../app/main.js").Context} context
   * @param {string} path of the list
   * @param {string} [appliance] whose they are; of all when left out
   */
  constructor(context, path, appliance) {
    [this.#context, this.#path] = [context, path];
    this.element = h("div", {}, this.#rows, this.#foot);
    const { fleet, signal } = context;
    fleet.addEventListener("event", ({ detail }) => {
      if (!detail.event.type.startsWith("alarm:") || (appliance !== undefined && detail.appliance.id !== appliance)) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.reload(this.#state, true), SETTLE_MS);
    }, { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /**
   * Asks anew.
   * @param {string} state `open`, `cleared`, or empty for both
   * @param {boolean} [isQuiet] leaves what is shown until the answer is there
   */
  async reload(state, isQuiet = false) {
    this.#state = state;
    this.#cursor = undefined;
    if (!isQuiet) {
      this.#drawn.clear();
      show(this.#rows);
      show(this.#foot, loading());
    }
    try {
      await this.#more(true);
    } catch (error) {
      if (!this.#context.signal.aborted && !isQuiet) show(this.#foot, failed(error, () => this.reload(state)));
    }
  }

  async #more(isFirst = false) {
    const { api, signal } = this.#context;
    const { alarms, next_cursor } = await api.ask(
      "GET",
      this.#path,
      { query: { limit: 50, state: this.#state || undefined, cursor: this.#cursor }, signal },
    );
    const elements = alarms.map((alarm) => this.#element(alarm));
    if (isFirst) {
      arrange(this.#rows, elements);
      const ids = new Set(alarms.map(({ alarm_id }) => alarm_id));
      for (const id of this.#drawn.keys()) if (!ids.has(id)) this.#drawn.delete(id);
    } else {
      this.#rows.append(...elements);
    }
    this.#cursor = next_cursor;
    show(this.#foot, next_cursor !== null ? moreButton(() => this.#more())
      : this.#rows.childElementCount === 0 && empty(
        this.#state === "open" ? "All is well" : "No alarms",
        this.#state === "open" ? "No alarm is open." : "Alarms that were raised and cleared are kept here.",
      ));
  }

  /** An alarm's row: the one that is there, where nothing about it is new. */
  #element(alarm) {
    const [text, known] = [JSON.stringify(alarm), this.#drawn.get(alarm.alarm_id)];
    if (known?.text === text) return known.element;
    const element = this.#draw(alarm);
    this.#drawn.set(alarm.alarm_id, { text, element });
    if (known?.element.contains(document.activeElement)) {
      known.element.replaceWith(element);
      element.querySelector("a").focus();
    }
    return element;
  }

  #draw(alarm) {
    const {
      alarm_id, appliance_id, source, name, severity, state, metric, value, raised_count, raised_at, acknowledged_at, acknowledged_by,
      cleared_at, clear_reason,
    } = alarm;
    const appliance = this.#context.fleet.appliances.get(appliance_id);
    const acknowledge = state === "open" && !acknowledged_at && appliance && mayOperate(appliance) && action("Acknowledge", async () => {
      const next = await this.#context.api.ask("POST", `/v1/appliances/${encodeURIComponent(appliance_id)}/alarms/${alarm_id}/acknowledge`);
      const row = this.#element(next);
      element.replaceWith(row);
      // The button that had the focus is gone.
      if (document.activeElement === document.body) row.querySelector("a").focus();
      notice("Acknowledged: everyone who watches has been told.");
    }, { class: "small primary", label: `Acknowledge ${name.slice(0, 80)} at ${appliance_id}` });
    const element = h("li", { class: "alarm", data: { state, id: String(alarm_id) } }, h("div", { class: "grow" },
      h("span", { class: "name" }, wire(name || source, 120)),
      h(
        "span",
        { class: "muted small" },
        h("a", { href: `#/appliances/${encodeURIComponent(appliance_id)}` }, wire(appliance?.name ?? appliance_id, 60)),
        " · ",
        moment(raised_at),
        raised_count > 1 ? ` · ${raised_count} times` : "",
        metric ? [" · ", wire(metric, 60), value === null ? "" : ` ${number(value)}`] : ""),
      acknowledged_at && h("span", { class: "muted small line" },
        "Acknowledged by ",
        wire(acknowledged_by, 60),
        ` at ${moment(acknowledged_at)}`,
      ),
      cleared_at && h("span", { class: "muted small line" },
        `Over since ${moment(cleared_at)}${clear_reason ? ` (${plain(clear_reason)})` : ""}`
      )),
    h("span", { class: `badge ${state === "open" ? TONES[severity] ?? "warn" : "off"}` }, severity),
    h("span", { class: `badge ${state === "open" ? "" : "good"}` }, state === "open" ? (acknowledged_at ? "seen" : "open") : "over"),
    acknowledge);
    return element;
  }
}
