// All cameras, live.

import { h, show } from "../app/dom.js";
import { counted } from "../app/format.js";
import { empty, pageHead } from "../app/ui.js";
import { Viewer } from "../app/viewer.js";
import { CameraTile } from "./cameras/tile.js";

export const title = "Cameras";

/** Watched by themselves when the page opens; the broker lets a viewer have 16 sessions. */
const WATCHED_MAX = 9;

/** @param {import("../app/main.js").Context} context @param {Element} place */
export async function mount({ fleet, session, signal }, place) {
  await fleet.load();
  const viewer = new Viewer(session, signal);
  const cameras = [...fleet.appliances.values()].filter(({ dialect, isLost }) => dialect === "signaling" && !isLost);
  const tiles = cameras.map((camera) => new CameraTile(camera, viewer));
  const stopAll = h(
    "button",
    {
      type: "button",
      onclick: () => { for (const { element } of tiles) if (element.dataset.state !== "ended") element.querySelector("button").click(); },
    },
    "Stop all",
  );
  show(
    place,
    pageHead(
      "Cameras",
      cameras.length > 0 && `${counted(cameras.length, "camera")}. Pictures go from the camera to this device, or through a TURN server.`,
      ...(cameras.length > 0 ? [stopAll] : []),
    ),
    cameras.length === 0 ? h("section", { class: "card" },
      empty("No cameras yet", "An appliance of the dialect signaling appears here.")
    ) : h("div", { class: "cameras" }, tiles.map(({ element }) => element)));
  for (const tile of tiles.slice(0, WATCHED_MAX)) tile.watch();
}
