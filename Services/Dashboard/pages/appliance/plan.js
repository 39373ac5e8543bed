// A plan drawn from what the robot tells: where it is and was, where its mission goes, where zones begin. Metres or millimetres: its own
// units.

import { clip, show, svg } from "../../app/dom.js";
import { isNumber, number, plain } from "../../app/format.js";
import { object } from "../../app/wire.js";

const TRAIL_MAX = 240;
const ZONES_MAX = 40;
/** The drawing's own units. */
const [WIDTH, HEIGHT, MARGIN] = [640, 260, 40];

/** What lies farther away is no place: the drawing could not be scaled to it. */
const FAR = 1e9;

const isPlace = (value) => isNumber(value) && Math.abs(value) <= FAR;
const point = (value) => (isPlace(object(value).x) && isPlace(object(value).y) ? { x: value.x, y: value.y } : null);

export class Plan {
  element = svg("svg", { class: "plan", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Plan with the robot's position" });
  #trail = [];
  /** Where each zone was entered last. @type {Map<string, { at: { x: number, y: number }, type: string }>} */
  #zones = new Map();
  #mission = null;
  #zone = null;

  /** @param {import("../../martlet/events.js").MartletEvent} event */
  take({ type, data }) {
    if (type === "telemetry.realtime") {
      const at = point(data.position);
      if (at) this.#trail.push(at);
      if (this.#trail.length > TRAIL_MAX) this.#trail.shift();
    } else if (type === "safety.zone_entered" && point(data.position)) {
      this.#zone = clip(data.zone_id, 40);
      this.#zones.set(this.#zone, { at: point(data.position), type: clip(data.zone_type, 20) });
      if (this.#zones.size > ZONES_MAX) this.#zones.delete(this.#zones.keys().next().value);
    } else if (type === "mission.started") {
      this.#mission = { start: point(data.start_position), target: point(data.target_position) };
    }
  }

  /** @param {import("../../app/fleet.js").Appliance} appliance */
  draw(appliance) {
    const here = point(object(appliance.latest.get("telemetry.realtime")?.data).position);
    const { start, target } = this.#mission ?? {};
    const points = [here, start, target, ...this.#trail, ...[...this.#zones.values()].map(({ at }) => at)].filter(Boolean);
    if (points.length === 0) {
      show(
        this.element,
        svg("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "plan-text" }, "No position has been told yet"),
      );
      return;
    }
    const place = scale(points);
    const trail = this.#trail.map(place).map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    show(this.element, grid(points, place),
      start && target && line(place(start), place(target), "plan-path"),
      trail && svg("polyline", { points: trail, class: "plan-trail" }),
      [...this.#zones].map(([id, zone]) => this.#drawZone(id, zone, place)),
      start && mark(place(start), "start", "plan-end"), target && mark(place(target), "target", "plan-end"),
      here && robot(place(here)));
    const zone = this.#zone ? `, last zone ${this.#zone}` : "";
    this.element.setAttribute(
      "aria-label",
      here ? `The robot is at x ${number(here.x, "", 1)}, y ${number(here.y, "", 1)}${zone}` : "Plan",
    );
  }

  #drawZone(id, { at, type }, place) {
    const [x, y] = place(at);
    const tone = { restricted: "bad", warning: "warn", safe: "good" }[type] ?? "warn";
    return svg("g", { class: `plan-zone ${tone}${id === this.#zone ? " current" : ""}` },
      svg("rect", { x: x - 4, y: y - 40, width: 8, height: 80, rx: 4 }),
      svg("text", { x, y: y - 48, "text-anchor": "middle" }, clip(id, 16)),
      svg("text", { x, y: y + 58, "text-anchor": "middle" }, plain(type)));
  }
}

/** Fits all points into the drawing, one unit as long in both directions. */
function scale(points) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const factor = Math.min((WIDTH - 2 * MARGIN) / Math.max(right - left, 1), (HEIGHT - 3 * MARGIN) / Math.max(top - bottom, 1));
  return ({ x, y }) => [WIDTH / 2 + (x - (left + right) / 2) * factor, HEIGHT / 2 - (y - (bottom + top) / 2) * factor];
}

function grid(points, place) {
  const xs = points.map(({ x }) => x);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const y = points[0].y;
  return [left, (left + right) / 2, right].filter((x, index, all) => all.indexOf(x) === index).map((x) => {
    const [at] = place({ x, y });
    return svg("g", { class: "plan-grid" },
      svg("line", { x1: at, y1: 24, x2: at, y2: HEIGHT - 24 }),
      svg("text", { x: at, y: HEIGHT - 8, "text-anchor": "middle" }, number(x, "", 0)),
    );
  });
}

const line = ([x1, y1], [x2, y2], name) => svg("line", { x1, y1, x2, y2, class: name });
const mark = ([x, y], text, name) => svg("g", { class: name },
  svg("circle", { cx: x, cy: y, r: 6 }),
  svg("text", { x, y: y + 24, "text-anchor": "middle" }, text),
);
const robot = ([x, y]) => svg("g", { class: "plan-robot" },
  svg("circle", { cx: x, cy: y, r: 18, class: "halo" }),
  svg("circle", { cx: x, cy: y, r: 9 }),
);
