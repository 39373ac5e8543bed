// Sending commands from a page: what becomes of each is told where its button is.

import { h, setText, show, wire } from "./dom.js";

const WORDS = { "": "Sending", requested: "Taken, on its way", sent: "Sent, waiting for the appliance's word", acknowledged: "Done" };

/** A line that tells how far the last command has come. */
export class CommandLine {
  element = h("p", { class: "command-line small", role: "status" });
  #client;
  #appliance;
  #run = 0;

  /**
   * @param {import("../martlet.js").MartletClient} client
   * @param {string} appliance
   */
  constructor(client, appliance) {
    [this.#client, this.#appliance] = [client, appliance];
  }

  /**
   * Sends a command and tells its progress. It never throws: the line says what went wrong.
   * @param {string} label what the person asked for
   * @param {string} type
   * @param {object} [data]
   * @returns {Promise<boolean>} whether the appliance said that it has acted
   */
  async run(label, type, data) {
    const run = ++this.#run;
    const tell = (tone, text) => {
      // A later command's line is not overwritten by an earlier one's end.
      if (run === this.#run) show(this.element, h("span", { class: `badge ${tone}` }, label), " ", wire(text, 300));
    };
    tell("active", `${WORDS[""]}…`);
    try {
      const { message } = await this.#client.send(this.#appliance, type, data, { progress: (step) => tell("active", `${WORDS[step]}…`) });
      tell("good", message ? `Done: ${message}` : "Done: the appliance has confirmed it.");
      return true;
    } catch (error) {
      tell("bad", `${error.message} (${error.code})`);
      return false;
    }
  }
}

/**
 * A stop that asks once more without slowing the hand: the first press arms it for some seconds, the second, on the same place, stops.
 * @param {string} text
 * @param {string} again what it says while it is armed
 * @param {() => void} stop
 */
export function armedStop(text, again, stop) {
  const ARMED_MS = 5_000;
  const label = h("span", {}, text);
  let timer;
  const disarm = () => {
    clearTimeout(timer);
    timer = undefined;
    button.classList.remove("armed");
    setText(label, text);
  };
  const button = h("button", { type: "button", class: "stop", onclick: () => {
    if (timer === undefined) {
      button.classList.add("armed");
      setText(label, again);
      timer = setTimeout(disarm, ARMED_MS);
      return;
    }
    disarm();
    stop();
  } }, label);
  button.setAttribute("aria-live", "assertive");
  return button;
}

/** @param {import("./fleet.js").Appliance} appliance */
export const mayOperate = ({ permission }) => permission !== "watch";
