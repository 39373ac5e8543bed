// An appliance of any dialect: the newest of each kind of thing that it said.

import { h, perFrame, show, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { eventName, isNumber, moment, number } from "../../app/format.js";
import { empty } from "../../app/ui.js";

const MEMBERS_MAX = 40;

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountDevice({ fleet, appliance, signal }, place) {
  const draw = () => {
    const events = [...appliance.latest.values()].filter(
      ({ type }) => !/^(command|alarm|rule):/.test(type)
    ).sort((a, b) => a.type.localeCompare(b.type));
    show(
      place,
      events.length === 0 ? h("section", { class: "card" },
        empty("Nothing was heard yet", "What the appliance says appears here, whatever it is.")
      )
      : h("div", { class: "grid" }, events.map((event) => h("section", { class: "card" },
        h("header", {},
          h("h2", {}, wire(eventName(event.type), 64)),
          h("span", { class: "muted small number" }, moment(receivedAt(event))),
        ),
        h("dl", { class: "facts" },
          members(event.data).slice(0, MEMBERS_MAX).map(
            ([name, value]) => [h("dt", {}, wire(name, 60)), h("dd", {}, isNumber(value) ? number(value) : wire(value ?? "–", 120))]
          )
        )))));
  };
  fleet.onchange(appliance.id, perFrame(draw, signal), signal);
  draw();
}

/** Paths and values, one level of objects unfolded. */
const members = (data) => Object.entries(data).flatMap(([name, value]) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value).map(
    ([inner, one]) => [`${name}.${inner}`, one]
  ) : [[name, value]]);
