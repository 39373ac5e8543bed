// What is wrong, everywhere, and who has seen it.

import { h, show } from "../app/dom.js";
import { action, choice, field, pageHead } from "../app/ui.js";
import { AlarmList } from "./alarms/list.js";

export const title = "Alarms";

/** @param {import("../app/main.js").Context} context @param {Element} place */
export async function mount(context, place) {
  await context.fleet.load();
  const list = new AlarmList(context, "/v1/alarms");
  const state = choice({ open: "Open", cleared: "Over", "": "All" }, "open", { onchange: () => list.reload(state.value) });
  show(place, pageHead("Alarms", "Raised by rules and by devices themselves; they clear when the cause is gone."),
    h("section", { class: "card flush" },
      h("header", {},
        h("h2", { class: "unseen" }, "Alarms"),
        h("div", { class: "filters" }, field("State", state)),
        action("Refresh", () => list.reload(state.value)),
      ),
      list.element,
    ));
  await list.reload("open");
}
