// A cooker: what it cooks, how hot, and how to stop it.

import { CommandLine, mayOperate } from "../../app/commanding.js";
import { Chart } from "../../app/chart.js";
import { h, perFrame, setText, show, showOnce, wire } from "../../app/dom.js";
import { receivedAt } from "../../app/fleet.js";
import { duration, isNumber, moment, number, plain } from "../../app/format.js";
import { bucketRows } from "../../app/history.js";
import { ask, card, empty, field } from "../../app/ui.js";
import { list, object } from "../../app/wire.js";

const CHART_MS = 20 * 60_000;
const TEMPERATURE_MAX = 260;

/** @param {import("../appliance.js").ApplianceContext} context @param {Element} place */
export async function mountCooker(context, place) {
  const { api, client, fleet, appliance, path, signal } = context;
  const line = new CommandLine(client, appliance.id);
  const [session, trouble] = [h("div", { class: "stack" }), h("div", {})];
  const stages = h("ol", { class: "stages" });
  const chart = new Chart({ label: "Temperature against target", unit: "°C", window_ms: CHART_MS, signal,
    series: [{ name: "now" }, { name: "target", colour: "series-2", dashed: true, step: true }] });
  const controls = makeControls(appliance, line);

  /** The newest session, as it is stored. */
  let latest;
  const draw = () => {
    drawSession(session, trouble, appliance, latest);
    controls.update(cookerState(appliance));
  };
  const refresh = perFrame(draw, signal);
  fleet.onchange(appliance.id, refresh, signal);
  const askStages = async () => {
    const { sessions } = await api.ask("GET", `${path}/sessions`, { query: { limit: 1 }, signal }).catch(() => ({ sessions: [] }));
    if (signal.aborted) return;
    latest = sessions[0];
    drawStages(stages, latest);
    draw();
  };
  fleet.onevent(appliance.id, (event) => {
    if (event.type === "cooking:progress") chart.add([receivedAt(event), ...temperatures(event.data)]);
    if (["cooking:started", "cooking:stage_change", "cooking:complete", "cooking:error"].includes(event.type)) setTimeout(askStages, 700);
  }, signal);
  draw();
  show(place, h("div", { class: "halves" },
    h("div", { class: "stack" },
      h("section", { class: "card stack", "aria-label": "Cooking session" }, trouble, session),
      h("section", { class: "card stack", "aria-label": "Controls" }, controls.element, line.element),
    ),
    h("div", { class: "stack" }, h("section", { class: "card" }, chart.element), card("Stages", stages))));
  const now = Date.now();
  await Promise.all([
    askStages(),
    bucketRows(
      api,
      path,
      ["temperature", "target_temperature"],
      [now - CHART_MS, now],
      { signal },
    ).then((rows) => chart.set(rows), () => {}),
  ]);
}

const temperatures = ({ temperature, target_temperature }) => [temperature, target_temperature].map(
  (value) => (isNumber(value) ? value : null)
);

/** @returns {"offline" | "ready" | "cooking"} */
function cookerState(appliance) {
  const status = object(appliance.latest.get("appliance:status")?.data).status ?? appliance.status;
  if (status === "cooking") return "cooking";
  return status === "online" ? "ready" : "offline";
}

function drawSession(place, trouble, appliance, stored) {
  const event = appliance.latest.get("cooking:progress");
  const {
    current_stage, stage_name, total_stages, progress_pct, temperature, target_temperature, stir_active, stir_pattern, time_remaining_s,
    cv_status,
  } = object(event?.data);
  const { recipe_name } = appliance.latest.get("cooking:started")?.data ?? stored ?? {};
  const state = cookerState(appliance);
  const error = lastError(appliance);
  showOnce(
    trouble,
    error,
    () => [
      error && h("p", { class: `banner ${error.severity === "critical" ? "bad" : "warn"}`, role: "alert" },
        wire(`${error.message ?? error.error_code ?? "Something went wrong."}`, 300)
      ),
    ],
  );
  if (state !== "cooking" || !event) {
    show(place, h("div", { class: "session-idle" }, h("h2", {}, state === "offline" ? "The cooker is offline" : "Nothing is cooking"),
      h("p", { class: "muted" },
        recipe_name ? [
          "Last: ",
          wire(recipe_name, 80),
        ] : state === "offline" ? "It is heard again when it connects." : "Start a recipe below."
      )));
    return;
  }
  const sight = object(cv_status);
  show(place,
    h(
      "div",
      { class: "row apart" },
      h("div", {},
        h("h2", {}, wire(recipe_name ?? "Cooking", 80)),
        h("p", { class: "muted" }, `Stage ${number(current_stage)} of ${number(total_stages)} · `, wire(stage_name, 60)),
      ),
      h("div", { class: "figure" },
        h("b", { class: "number" }, isNumber(time_remaining_s) ? duration(time_remaining_s) : "–"),
        h("span", { class: "muted small" }, "left in this stage"),
      )),
    h("progress", { class: "bar", max: 100, value: isNumber(progress_pct) ? progress_pct : 0, "aria-label": "Progress of the recipe" }),
    h("div", { class: "heat" },
      h("div", { class: "figure" },
        h("b", { class: "huge number" }, number(temperature, "", 1), h("small", {}, " °C")),
        h("span", { class: "muted small" }, `target ${number(target_temperature, "°C", 0)}`),
      ),
      h(
        "progress",
        {
          class: `bar ${temperature > TEMPERATURE_MAX ? "bad" : ""}`,
          max: TEMPERATURE_MAX,
          value: isNumber(temperature) ? Math.max(0, temperature) : 0,
          "aria-label": "Temperature",
        },
      )),
    h("dl", { class: "facts" }, h("dt", {}, "Whole recipe"), h("dd", {}, number(progress_pct, "%", 0)),
      h("dt", {}, "Stirring"), h("dd", {}, stir_active === true ? plain(stir_pattern) : "off"),
      h("dt", {}, "The camera sees"),
      h("dd", {}, sight.class ? wire(`${plain(sight.class)}, ${number(100 * sight.confidence, "%", 0)} sure`, 80) : "–")));
}

/** The error of the session that goes on, if there was one. */
function lastError(appliance) {
  const [error, started] = [appliance.latest.get("cooking:error"), appliance.latest.get("cooking:started")];
  if (!error || (started && receivedAt(started) > receivedAt(error))) return null;
  return Date.now() - receivedAt(error) < 10 * 60_000 ? object(error.data) : null;
}

function drawStages(place, session) {
  if (!session) return show(place, empty("No session yet", "The stages of a recipe appear here while it cooks."));
  const done = list(session.stages);
  const total = Math.max(session.total_stages ?? 0, done.length, session.current_stage ?? 0);
  show(place, Array.from({ length: Math.min(total, 50) }, (_, index) => {
    const stage = done.find(({ stage }) => stage === index + 1);
    const isCurrent = session.outcome === null && session.current_stage === index + 1;
    const isDone = Boolean(stage?.ended_at || stage?.result);
    const name = stage?.name ?? (isCurrent ? session.current_stage_name : null);
    return h(
      "li",
      { class: isDone ? "done" : isCurrent ? "now" : "", "aria-current": isCurrent ? "step" : undefined },
      h("span", { class: "mark", "aria-hidden": "true" }, isDone ? "✓" : index + 1),
      h("span", { class: "grow" }, name ? wire(name, 60) : h("span", { class: "muted" }, `Stage ${index + 1}`)),
      h("span", { class: "muted small number" },
        isDone ? `${duration(stage.duration_s)}${stage.transition ? ` · ${plain(stage.transition)}` : ""}` : isCurrent ? "now" : ""
      ));
  }), h("li", { class: "summary muted small" },
    `${session.outcome ? `Ended: ${plain(session.outcome)}` : "Goes on"}, begun ${moment(session.started_at)}`
  ));
}

function makeControls(appliance, line) {
  const mayStart = mayOperate(appliance);
  const stop = h("button", { type: "button", class: "stop", onclick: () => line.run("Stop", "cooking:stop") }, "Stop cooking");
  const pause = h("button", { type: "button", onclick: () => line.run("Pause", "cooking:pause") }, "Pause");
  const resume = h("button", { type: "button", onclick: () => line.run("Resume", "cooking:resume") }, "Resume");
  const start = h("button", { type: "button", class: "primary", onclick: () => askStart(appliance, line) }, "Start a recipe…");
  const about = h("p", { class: "muted small" });
  return {
    element: [stop, h("div", { class: "row controls" }, start, pause, resume), about],
    update(state) {
      pause.disabled = resume.disabled = !mayStart || state !== "cooking";
      start.disabled = !mayStart || state !== "ready";
      setText(
        about,
        mayStart
          ? "Stop works at once, whatever else waits."
          : "You may watch this cooker and stop it. The rest is for its owner and operators.",
      );
    },
  };
}

function askStart(appliance, line) {
  const known = object(appliance.latest.get("cooking:started")?.data).recipe_id;
  const recipe = h(
    "input",
    { required: true, maxLength: 128, value: typeof known === "string" ? known : "", placeholder: "recipe-dal-tadka" },
  );
  const spice = h("input", { type: "number", min: 0, max: 10, step: 1 });
  const servings = h("input", { type: "number", min: 1, max: 50, step: 1 });
  ask({
    title: "Start a recipe",
    body: [
      field("Recipe", recipe, "Its id, as the cooker knows it."),
      h("div", { class: "fields" }, field("Spice level", spice), field("Servings", servings)),
    ],
    go: "Start",
    submit: async () => {
      const customizations = Object.fromEntries([
        ["spice_level", spice],
        ["servings", servings],
      ].filter(([, { value }]) => value !== "").map(([name, { value }]) => [name, Number(value)]));
      line.run(
        "Start",
        "cooking:start",
        { recipe_id: recipe.value.trim(), ...(Object.keys(customizations).length > 0 && { customizations }) },
      );
    } });
}
