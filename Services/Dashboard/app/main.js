// The page as a whole: who is signed in, which page is shown, and the frame around it.

import { API, MartletClient, Session } from "../martlet.js";
import { h, show } from "./dom.js";
import { Fleet } from "./fleet.js";
import { pages } from "./pages.js";
import { Shell } from "./shell.js";
import { failed, forAdmins, loading } from "./ui.js";
import { signIn } from "../pages/signin.js";

const main = document.getElementById("main");
const base = new URL("..", import.meta.url);
const session = new Session({ api: new URL("api", base).href, keep: localStorage });

/**
 * What every page is given.
 * @typedef {{ api: API, client: MartletClient, fleet: Fleet, session: Session, me: Me, signal: AbortSignal }} Context
 * @typedef {{ id: string, name: string, role: string }} Me `role` is empty while it is not known
 */

/** Ends what belongs to the page that is shown. */
let leaving = new AbortController();

function begin() {
  const api = new API(new URL("api", base).href, session.token);
  const socket = new URL("ws", base);
  socket.protocol = socket.protocol.replace("http", "ws");
  const client = new MartletClient({ url: socket.href, api: new URL("api", base).href, token: session.token });
  const fleet = new Fleet(api, client);
  const context = { api, client, fleet, session, me: { id: session.userID, name: session.userID, role: "" } };
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    client.close();
    fleet.end();
    removeEventListener("hashchange", route);
    leaving.abort();
    boot();
  };
  const shell = new Shell(context, async () => {
    await session.logout();
    end();
  });
  const known = api.ask("GET", `/v1/users/${encodeURIComponent(session.userID)}`).then((user) => {
    Object.assign(context.me, user);
    shell.user(user);
  }, () => {});
  const route = () => open(context, shell, known);
  client.onstate = (change) => {
    shell.connection(change);
    if (change.state === "closed" && session.userID === null) end();
  };
  session.onend = end;
  show(document.getElementById("shell"), shell.element);
  document.body.classList.add("signed-in");
  client.start();
  addEventListener("hashchange", route);
  route();
}

/** Opens the page that the address names. @param {Promise<void>} known settled when it is known who the user is, or cannot be */
async function open(context, shell, known) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, query] = location.hash.slice(1).split("?");
  const parts = path.split("/").filter(Boolean).map(decoded);
  const name = parts[0] ?? "fleet";
  shell.current(name);
  if (!Object.hasOwn(pages, name)) {
    show(main, failed(new Error("There is no such page."), () => { location.hash = "#/fleet"; }));
    return;
  }
  const page = pages[name];
  document.title = `${page.title} · Martlet`;
  const place = h("div", {});
  show(main, loading());
  try {
    if (page.isForAdmins) await known;
    // Where the role cannot be known, the API's own refusal is shown.
    const isRefused = page.isForAdmins && !["", "admin"].includes(context.me.role);
    if (isRefused) show(place, forAdmins(page.title, context.me));
    else if (!signal.aborted) await page.mount({ ...context, signal }, place, parts.slice(1), new URLSearchParams(query));
    if (!signal.aborted) show(main, place);
  } catch (error) {
    if (!signal.aborted) show(main, failed(error, () => open(context, shell, known)));
  }
  if (!signal.aborted) main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** A part of the address; one that is badly written stands for itself. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function boot() {
  if (session.userID !== null) return begin();
  document.body.classList.remove("signed-in");
  document.title = "Sign in · Martlet";
  show(document.getElementById("shell"));
  signIn(session, main, begin);
}

// The address names a page, so the link that skips to the content does not go there by it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
boot();
