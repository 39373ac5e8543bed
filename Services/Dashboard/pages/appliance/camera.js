// One camera: its picture, and who watches it.

import { h, show, wire } from "../../app/dom.js";
import { duration, moment, plain } from "../../app/format.js";
import { action, empty, showLoaded, table } from "../../app/ui.js";
import { CameraTile } from "../cameras/tile.js";
import { Viewer } from "../../app/viewer.js";

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountCamera({ api, session, appliance, path, signal }, place) {
  const viewer = new Viewer(session, signal);
  const tile = new CameraTile(appliance, viewer, { isLarge: true });
  const watches = h("div", {});
  const reload = () => showLoaded(
    watches,
    () => api.ask("GET", `${path}/watches`, { query: { limit: 20 }, signal }),
    ({ watches: all }) => all.length === 0
    ? empty("Nobody has watched yet", "Every watch is listed here, with how it ended.")
    : table(["Who", "Begun", "Lasted", "State", ""], all.map(({ session_id, user_id, started_at, duration_s, state, reason }) => [
      wire(user_id, 60),
      moment(started_at),
      duration(duration_s),
      h("span", { class: `badge ${state === "open" ? "active" : "off"}` }, state === "open" ? "open" : plain(reason)),
      state === "open" ? action("End", async () => {
        await api.ask("DELETE", `${path}/watches/${session_id}`);
        setTimeout(reload, 1_000);
      }, { class: "small danger" }) : ""]), { caption: "Watch sessions" }), signal);
  show(
    place,
    h("div", { class: "stack" },
      tile.element,
      h("section", { class: "card flush" },
        h("header", {}, h("h2", {}, "Watch sessions"), action("Refresh", async () => reload(), { class: "small" })),
        watches,
      ),
    ),
  );
  tile.watch();
  reload();
}
