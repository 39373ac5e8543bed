// The page as a whole: who is signed in, which page is shown, and the frame around it.

import { API, MartletClient, Session } from "../martlet.js";
import { h, show } from "./dom.js";
import { Fleet } from "./fleet.js";
import { pages } from "./pages.js";
import { Shell } from "./shell.js";
import { failed, loading } from "./ui.js";
import { signIn } from "../pages/signin.js";

const main = document.getElementById("main");
const base = new URL("..", import.meta.url);
const session = new Session({ api: new URL("api", base).href, keep: localStorage });

/**
 * What every page is given.
 * @typedef {{ api: API, client: MartletClient, fleet: Fleet, session: Session, me: { id: string, name: string, role: string }, signal:
 *   AbortSignal }} Context
 */

/** Ends what belongs to the page that is shown. */
let leaving = new AbortController();

function begin() {
  const api = new API(new URL("api", base).href, session.token);
  const socket = new URL("ws", base);
  socket.protocol = socket.protocol.replace("http", "ws");
  const client = new MartletClient({ url: socket.href, api: new URL("api", base).href, token: session.token });
  const fleet = new Fleet(api, client);
  const context = { api, client, fleet, session, me: { id: session.userID, name: session.userID, role: "viewer" } };
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
  const route = () => open(context, shell);
  client.onstate = (change) => {
    shell.connection(change);
    if (change.state === "closed" && session.userID === null) end();
  };
  session.onend = end;
  show(document.getElementById("shell"), shell.element);
  document.body.classList.add("signed-in");
  client.start();
  api.ask("GET", `/v1/users/${encodeURIComponent(session.userID)}`).then((user) => {
    Object.assign(context.me, user);
    shell.user(user);
  }, () => {});
  addEventListener("hashchange", route);
  route();
}

/** Opens the page that the address names. */
async function open(context, shell) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, query] = location.hash.slice(1).split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const page = pages[parts[0] ?? "fleet"];
  shell.current(parts[0] ?? "fleet");
  if (!page) {
    show(main, failed(new Error("There is no such page."), () => { location.hash = "#/fleet"; }));
    return;
  }
  document.title = `${page.title} · Martlet`;
  const place = h("div", {});
  show(main, loading());
  try {
    await page.mount({ ...context, signal }, place, parts.slice(1), new URLSearchParams(query));
    if (!signal.aborted) show(main, place);
  } catch (error) {
    if (!signal.aborted) show(main, failed(error, () => open(context, shell)));
  }
  if (!signal.aborted) main.focus({ preventScroll: true });
  scrollTo(0, 0);
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
