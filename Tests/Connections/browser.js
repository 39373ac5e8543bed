// Plays the connection scripts with the JavaScript client, some side by side, and reports what differed from them.

import { MartletClient, SignedOut } from "/client/martlet.js";

/** So much faster than the clock on the wall runs the client's. */
const SPEED = 10;
const LIMIT_MS = 60_000;
/** Scripts at a time: a browser holds back one that opens many WebSockets at once. */
const LANES = 4;

const settings = new URLSearchParams(location.search);
const only = settings.get("only").split(",").filter(Boolean);
const scripts = (await (await fetch("/scripts")).json()).filter(
  ({ name }) => only.length === 0 || only.some((part) => name.includes(part))
);
const results = [];
const waiting = [...scripts];
await Promise.all(Array.from({ length: LANES }, async () => {
  for (let script = waiting.shift(); script; script = waiting.shift()) results.push({ name: script.name, failures: await play(script) });
}));
await fetch("/report", { method: "POST", body: JSON.stringify(results) });

async function play(script) {
  const record = { states: [], events: [], waits_ms: [], answers_ms: [], subscribed: [], lost: [], commands: [], ignored: 0 };
  const client = new MartletClient({
    url: `ws://127.0.0.1:${settings.get("sockets")}/${script.name}/ws`,
    api: script.api === false ? undefined : `${location.origin}/${script.name}/api`,
    token: tokens(script.tokens),
    clock: clock(script.random ?? 1, record),
  });
  const happened = reactions(script, client, record);
  client.onstate = ({ state }) => {
    record.states.push(state);
    happened(state);
  };
  client.onproblem = () => { record.ignored += 1; };
  for (const appliance of script.watch ?? []) {
    client.subscribe(appliance, {
      event({ appliance_id, id, type }) {
        record.events.push([appliance_id, id ?? "", type].join(" "));
        happened(id);
      },
      subscribed({ current_status, recovered }) {
        record.subscribed.push(
          [appliance, current_status, ...(recovered === undefined ? [] : [recovered ? "recovered" : "gap"])].join(" ")
        );
        happened("subscribed");
      },
      lost: ({ code }) => record.lost.push(`${appliance} ${code}`),
    }, { since: script.since?.[appliance] });
  }
  client.start();
  const failures = await end(script, record);
  client.close();
  return failures;
}

/** Gives one token after the other; past the last the login has ended. */
function tokens(list) {
  if (!list) return undefined;
  let place = 0;
  return async ({ renew }) => {
    if (renew) place += 1;
    if (place >= list.length) throw new SignedOut();
    return list[place];
  };
}

/** Time runs faster; what is waited for before an attempt, and for an answer to a ping, is written down as the client asked for it. */
function clock(random, record) {
  return {
    now: () => performance.now() * SPEED,
    random: () => random,
    after(after_ms, fire, name) {
      if (name === "retry") record.waits_ms.push(after_ms);
      if (name === "pong") record.answers_ms.push(after_ms);
      const timer = setTimeout(fire, after_ms / SPEED);
      return () => clearTimeout(timer);
    },
  };
}

/** What the script wants the app to do when something has happened for the first time. */
function reactions(script, client, record) {
  const waiting = new Map((script.app ?? []).map((step) => [step.after, step]));
  return (what) => {
    const step = waiting.get(what);
    if (!step) return;
    waiting.delete(what);
    const { appliance_id, type, data } = step.send;
    const tell = (word) => record.commands.push(`${type} ${word}`);
    client.send(appliance_id, type, data, { progress: tell }).then(() => tell("done"), ({ code }) => tell(code));
  };
}

/** Waits until the server has played its part and as much has been seen as the script says, and compares. */
async function end(script, record) {
  const deadline = performance.now() + LIMIT_MS;
  const sees = Object.entries(script.sees ?? {});
  for (;;) {
    const { done, failures } = await (await fetch(`/${script.name}/status`)).json();
    const isComplete = sees.every(
      ([name, wanted]) => (Array.isArray(wanted) ? record[name].length >= wanted.length : record[name] >= wanted)
    );
    if (failures.length > 0 || (done && isComplete) || performance.now() > deadline) {
      const differences = sees.filter(([name, wanted]) => JSON.stringify(record[name]) !== JSON.stringify(wanted))
        .map(([name, wanted]) => `${name}: ${JSON.stringify(record[name])}, not ${JSON.stringify(wanted)}`);
      return [...failures, ...(done ? [] : ["the script was not played to its end"]), ...differences];
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
