// The frame around every page: navigation, the state of the connection, the theme, who is signed in.

import { h, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { pages, places } from "./pages.js";

const STATES = {
  connecting: { tone: "warn", about: "Connecting to Martlet." },
  websocket: { tone: "good", about: "Live: events come as they happen." },
  polling: { tone: "warn", about: "No live connection: new events are asked for every 1.5 seconds, and the connection is tried again." },
  closed: { tone: "bad", about: "The connection is closed and does not come back by itself." },
};

const THEMES = [["auto", "As the system"], ["sun", "Light", "light"], ["moon", "Dark", "dark"]];

export class Shell {
  element;
  #nav;
  #state = h("span", { class: "badge", id: "connection", role: "status", tabIndex: 0 });
  #who = h("span", { class: "who small" });
  #menu;

  /**
   * @param {import("./main.js").Context} context
   * @param {() => Promise<void>} signOut
   */
  constructor(context, signOut) {
    this.#nav = h("nav", { class: "nav", id: "nav", "aria-label": "Pages" }, places.map((name) =>
      h("a", { href: `#/${name}`, data: { page: name }, hidden: pages[name].isForAdmins === true }, icon(name), pages[name].title)));
    this.#menu = h(
      "button",
      {
        type: "button",
        class: "menu icon quiet",
        "aria-label": "Pages",
        "aria-expanded": "false",
        "aria-controls": "nav",
        onclick: () => this.#open(!this.#nav.classList.contains("open")),
      },
      icon("menu"),
    );
    this.#nav.addEventListener("click", () => this.#open(false));
    this.#nav.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape") return;
      this.#open(false);
      this.#menu.focus();
    });
    this.element = [
      h("header", { class: "shell" }, this.#menu,
        h("a", { class: "brand", href: "#/fleet" }, h("img", { src: "icon.svg", alt: "", width: 26, height: 26 }), "Martlet"),
        h("span", { class: "spacer" }), this.#state, this.#themeButton(), this.#who,
        h("button", { type: "button", class: "quiet icon", "aria-label": "Sign out", title: "Sign out", onclick: signOut }, icon("out"))),
      this.#nav,
      // Beside an open menu, anything else closes it.
      h("div", { class: "shade", onclick: () => this.#open(false) }),
    ];
    this.user(context.me);
    this.connection({ state: context.client.state });
  }

  /** @param {{ state: keyof typeof STATES, code?: number, reason?: string }} change */
  connection({ state, reason }) {
    const { tone, about } = STATES[state];
    this.#state.className = `badge ${tone}`;
    this.#state.dataset.state = state;
    setText(this.#state, state);
    this.#state.title = [about, reason].filter(Boolean).join(" ");
  }

  /** @param {{ id: string, name: string, role: string }} user */
  user({ id, name, role }) {
    setText(this.#who, name || id);
    this.#who.title = [id, role].filter(Boolean).join(", ");
    for (const link of this.#nav.children) link.hidden = pages[link.dataset.page].isForAdmins === true && role !== "admin";
  }

  /** Marks the page that is shown. @param {string} name */
  current(name) {
    const own = name === "appliances" ? "fleet" : name;
    for (const link of this.#nav.children) {
      if (link.dataset.page === own) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.#open(false);
  }

  #open(isOpen) {
    this.#nav.classList.toggle("open", isOpen);
    this.#menu.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.#nav.firstElementChild?.focus();
  }

  #themeButton() {
    const button = h("button", { type: "button", class: "quiet icon", onclick: () => {
      const place = THEMES.findIndex(([, , name]) => name === document.documentElement.dataset.theme);
      const [, , next] = THEMES[(Math.max(0, place) + 1) % THEMES.length];
      if (next) document.documentElement.dataset.theme = next;
      else delete document.documentElement.dataset.theme;
      if (next) localStorage.setItem("martlet.theme", next);
      else localStorage.removeItem("martlet.theme");
      document.dispatchEvent(new Event("themechange"));
      draw();
    } });
    const draw = () => {
      const [drawing, name] = THEMES.find(([, , value]) => value === document.documentElement.dataset.theme) ?? THEMES[0];
      show(button, icon(drawing));
      button.setAttribute("aria-label", `Theme: ${name}`);
      button.title = `Theme: ${name}`;
    };
    draw();
    return button;
  }
}
