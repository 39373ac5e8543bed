// One camera's place in the grid.

import { h, setText, wire } from "../../app/dom.js";
import { plain } from "../../app/format.js";
import { badge } from "../../app/ui.js";

const STATES = {
  asking: ["active", "Asking the camera…"],
  connecting: ["active", "Connecting…"],
  live: ["good", "live"],
  ended: ["off", ""],
};

export class CameraTile {
  element;
  #camera;
  #viewer;
  #video = h("video", { autoplay: true, muted: true, playsInline: true, disablePictureInPicture: true });
  #state = h("span", { role: "status" });
  #cover = h("div", { class: "cover" });
  #button = h("button", { type: "button", onclick: () => (this.#leave ? this.#leave() : this.watch()) }, "Watch");
  /** Ends the watch under way. */
  #leave;

  /**
   * @param {import("../../app/fleet.js").Appliance} camera
   * @param {import("../../app/viewer.js").Viewer} viewer
   * @param {{ isLarge?: boolean }} [options]
   */
  constructor(camera, viewer, { isLarge = false } = {}) {
    [this.#camera, this.#viewer] = [camera, viewer];
    this.#video.setAttribute("aria-label", `Picture of ${camera.name.slice(0, 80)}`);
    const address = `#/appliances/${encodeURIComponent(camera.id)}`;
    const name = h(isLarge ? "span" : "a", { class: "name", href: isLarge ? undefined : address }, wire(camera.name, 60));
    this.element = h("article", { class: `card flush camera${isLarge ? " large" : ""}` },
      h("div", { class: "screen" }, this.#video, this.#cover),
      h("div", { class: "row apart about" }, h("div", { class: "grow" }, name, this.#state), this.#button));
    this.#show("ended", "Not watched");
  }

  watch() {
    this.#leave = this.#viewer.watch(this.#camera.id, {
      stream: (stream) => { this.#video.srcObject = stream; },
      state: (state, reason) => this.#show(state, reason),
    });
    setText(this.#button, "Stop");
  }

  #show(state, reason = "") {
    const [tone, text] = STATES[state];
    this.element.dataset.state = state;
    this.#state.replaceChildren(badge({ tone, word: text || plain(reason) }));
    this.#cover.replaceChildren(wire(state === "live" ? "" : text || plain(reason), 120));
    this.#cover.hidden = state === "live";
    if (state !== "ended") return;
    this.#leave = undefined;
    this.#video.srcObject = null;
    setText(this.#button, "Watch");
  }
}
