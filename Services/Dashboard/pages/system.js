// The services themselves: which replicas there are, whether they keep up, and how much passes through them.

import { h, show, wire } from "../app/dom.js";
import { duration, number } from "../app/format.js";
import { parseMetrics, sumOf } from "../app/metrics.js";
import { empty, failed, loading, pageHead } from "../app/ui.js";

export const title = "System";
export const isForAdmins = true;

const LOOK_MS = 4_000;
/** The second look comes sooner: there is no rate before it. */
const SECOND_LOOK_MS = 1_000;
const DEADLINE_MS = 8_000;

/** What is shown of each service: a metric, its name for people, and what it is: a rate, a lag, which is told when it grows, a yes or no. */
const SHOWN = {
  gateway: [
    ["martlet_gateway_connections", "connections"],
    ["martlet_gateway_subscriptions", "subscriptions"],
    ["martlet_gateway_deliveries_total", "delivered", "rate"],
    ["martlet_gateway_conflated_total", "conflated", "rate"],
  ],
  ingest: [
    ["martlet_ingest_messages_received_total", "messages", "rate"],
    ["martlet_ingest_events_appended_total", "events", "rate"],
    ["martlet_ingest_dead_letters_total", "dead letters"],
    ["martlet_ingest_paused", "paused", "flag"],
  ],
  persister: [
    ["martlet_persister_lag_seconds", "behind", "lag"],
    ["martlet_persister_events_total", "events", "rate"],
    ["martlet_persister_sessions", "sessions"],
    ["martlet_persister_dead_letters_total", "dead letters"],
  ],
  rules: [
    ["martlet_rules_lag_seconds", "behind", "lag"],
    ["martlet_rules_evaluations_total", "evaluations", "rate"],
    ["martlet_rules_firings_total", "firings"],
    ["martlet_webhooks_dead_total", "webhooks given up"],
  ],
  api: [["martlet_api_requests_total", "requests", "rate"], ["martlet_api_exports", "exports"]],
  signaling: [
    ["martlet_signaling_connections", "connections"],
    ["martlet_signaling_watches_begun_total", "watches begun"],
    ["martlet_signaling_watches_ended_total", "ended"],
  ],
};
const LAG_WARN_S = 5;
/** Processes whose last figures are kept. */
const PROCESSES_MAX = 200;

/** @param {import("../app/main.js").Context} context @param {Element} place */
export async function mount({ session, signal }, place) {
  const body = h("div", {}, loading());
  show(place, pageHead("System", "What the services tell of themselves, every four seconds."), body);
  /**
   * What each process told last. Where several replicas have one name, now one of them answers and now another.
   * @type {Map<string, { at: number, samples: import("../app/metrics.js").Sample[] }>}
   */
  const before = new Map();
  let timer;
  let looks = 0;
  const look = async () => {
    try {
      const { replicas } = JSON.parse(await fetchText(session, "metrics/replicas", signal));
      replicas.sort();
      const found = await Promise.all(replicas.map(async (name) => ({ name, ...(await measure(session, name, before, signal)) })));
      if (!signal.aborted) show(body, found.length === 0 ? empty("No replicas", "This nginx knows of none.") : drawAll(found));
    } catch (error) {
      if (!signal.aborted) show(body, failed(error, look));
    }
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(look, ++looks === 1 ? SECOND_LOOK_MS : LOOK_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  await look();
}

async function fetchText(session, path, signal) {
  const token = await session.token({ renew: false });
  const answer = await fetch(
    new URL(`../${path}`, import.meta.url),
    {
      headers: { Authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    },
  );
  if (answer.status === 403) throw new Error("This page is for admins.");
  if (answer.status === 404) throw new Error("This nginx does not show the services' metrics.");
  if (!answer.ok) throw new Error(`It answered ${answer.status}.`);
  return answer.text();
}

async function measure(session, name, before, signal) {
  try {
    const now = { at: performance.now(), samples: parseMetrics(await fetchText(session, `metrics/${name}`, signal)) };
    const started = sumOf(now.samples, "process_start_time_seconds");
    const process = `${name} ${started}`;
    const last = before.get(process);
    before.delete(process);
    before.set(process, now);
    if (before.size > PROCESSES_MAX) before.delete(before.keys().next().value);
    const rate = (metric) => {
      const [from, to] = [last && sumOf(last.samples, metric), sumOf(now.samples, metric)];
      return from === undefined || to === undefined || to < from ? undefined : (to - from) / ((now.at - last.at) / 1000);
    };
    const build = now.samples.find((sample) => sample.name === "martlet_build_info")?.labels ?? "";
    return {
      isUp: true,
      service: /service="([a-z]+)"/.exec(build)?.[1] ?? name,
      version: /version="([^"]+)"/.exec(build)?.[1] ?? "",
      started,
      value: (metric, kind) => (kind === "rate" ? rate(metric) : sumOf(now.samples, metric)),
    };
  } catch (error) {
    return { isUp: false, service: name.replace(/-\d+$/, ""), error };
  }
}

function written(value, kind) {
  switch (kind) {
    case "rate": return number(value, "/s", 1);
    case "lag": return number(value, "s", 1);
    case "flag": return value > 0 ? "yes" : "no";
    default: return number(value);
  }
}

function drawAll(found) {
  return h("div", { class: "grid" }, found.map((replica) => {
    const { name, service, isUp, version, started, value, error } = replica;
    const shown = isUp ? (SHOWN[service] ?? []).map(
      ([metric, text, kind]) => ({ text, kind, value: value(metric, kind) })
    ).filter((one) => one.kind === "rate" || one.value !== undefined) : [];
    const isLate = shown.some(({ kind, value: seconds }) => kind === "lag" && seconds > LAG_WARN_S);
    return h(
      "section",
      { class: "card" },
      h("header", {},
        h("div", {}, h("h2", {}, wire(name, 60)), version && h("p", { class: "muted small" }, `version ${version}`)),
        h("span", { class: `badge ${isUp ? (isLate ? "warn" : "good") : "bad"}` }, isUp ? (isLate ? "behind" : "up") : "not reached"),
      ),
      isUp ? h("dl", { class: "facts" },
        shown.map(({ text, kind, value: one }) => [
          h("dt", {}, text),
          one === undefined ? h("dd", { class: "muted" }, "…") : h("dd", {}, written(one, kind)),
        ]),
        started !== undefined && [h("dt", {}, "up for"), h("dd", {}, duration(Date.now() / 1000 - started))],
      ) : h("p", { class: "muted" }, wire(error.message, 200)));
  }));
}
