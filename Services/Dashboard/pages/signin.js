import { h, show, wire } from "../app/dom.js";
import { field } from "../app/ui.js";

/**
 * Asks who is there.
 * @param {import("../martlet.js").Session} session
 * @param {Element} place
 * @param {() => void} done
 */
export function signIn(session, place, done) {
  const user = h(
    "input",
    { name: "user", autocomplete: "username", autocapitalize: "none", spellcheck: false, required: true, maxLength: 255 },
  );
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, maxLength: 256 });
  const wrong = h("p", { class: "banner bad", role: "alert", hidden: true });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { class: "card stack", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    try {
      await session.login(user.value, password.value);
      done();
    } catch (error) {
      wrong.hidden = false;
      show(wrong, wire(error.message, 300));
      password.select();
    } finally {
      button.disabled = false;
    }
  } },
    h("div", {}, h("h1", {}, "Sign in"), h("p", { class: "muted" }, "to watch and steer your appliances")),
    field("User", user), field("Password", password), wrong, button);
  show(
    place,
    h("div", { class: "signin" },
      h("p", { class: "brand" }, h("img", { src: "icon.svg", alt: "", width: 26, height: 26 }), "Martlet"),
      form,
    ),
  );
  user.focus();
}
