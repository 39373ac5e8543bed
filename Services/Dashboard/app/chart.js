// Lines over time, drawn by dygraphs (Debian's libjs-dygraphs, served by nginx from where it is installed). Labels are ours: dygraphs
// would parse a legend as markup.

import { h, show, wire } from "./dom.js";
import { isNumber, moment, number } from "./format.js";

const LIBRARY = new URL("../lib/dygraphs/dygraph.min.js", import.meta.url).href;

/** A chart that goes on for hours keeps so many rows. */
const ROWS_MAX = 5_000;

/** @type {Promise<any> | undefined} */
let library;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = h("script", { src: LIBRARY, onload: () => {
      // Its legend writes markup and inline styles; neither is wanted.
      Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend && plugin !== Dygraph.Plugins.ChartLabels);
      resolve(Dygraph);
    }, onerror: () => reject(new Error("The charting library is missing: install Debian's libjs-dygraphs beside nginx.")) });
    document.head.append(script);
  });
  return library;
}

/** The colour that a variable of the style sheet has now, as a canvas wants it. */
function colour(name) {
  const probe = h("span", { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Which colour of the palette a series has. */
const colourOf = (series, place) => series.colour ?? ["accent", "series-2", "series-3"][place % 3];

/** A colour of the palette with its lightness as it is and this much of it. */
const faint = (name) => colour(name).replace(/^rgb\((.*)\)$/, "rgb($1 / 60%)").replaceAll(", ", " ");

/**
 * @typedef {{ name: string, colour?: "accent" | "series-2" | "series-3", dashed?: boolean, step?: boolean }} Series
 * @typedef {[number, ...(number | null)[]]} Row a moment in milliseconds since 1970, and a value for each series
 */

/** One chart. Rows are kept in the order of time; new ones are drawn at most once a frame. */
export class Chart {
  element;
  /**
   * Called with the window when the person has zoomed or moved it, with null when all is to be seen again.
   * @type {(window: [number, number] | null) => void}
   */
  onwindow = () => {};
  /** @type {Row[]} */
  #rows = [];
  #series;
  #unit;
  #area = h("div", { class: "chart-area" });
  #nothing = h("p", { class: "chart-nothing muted", hidden: true }, "No values in this time");
  #legend = h("div", { class: "legend number", "aria-hidden": "true" });
  #graph;
  /** Stretches and moments that are marked behind the lines. @type {{ spans: [number, number][], moments: number[] }} */
  #marks = { spans: [], moments: [] };
  #window_ms;
  #zoomed = null;
  #isAsked = false;
  #isDrawing = false;

  /**
   * @param {{ label: string, series: Series[], unit?: string, window_ms?: number, signal: AbortSignal }} options `window_ms`: a live chart
   *   shows this much up to now and forgets the rest
   */
  constructor({ label, series, unit = "", window_ms, signal }) {
    [this.#series, this.#unit, this.#window_ms] = [series, unit, window_ms];
    this.element = h("figure", { class: "chart" },
      h("figcaption", { class: "row apart" }, h("h2", { class: "small" }, wire(label, 80)), this.#legend),
      h("div", { class: "chart-frame" }, this.#area, this.#nothing),
    );
    this.#label();
    const redraw = () => this.#build();
    document.addEventListener("themechange", redraw, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
    // Its first call tells that the area is on the page, which dygraphs wants of it.
    const watcher = new ResizeObserver(() => (this.#graph ? this.#graph.resize() : this.#build()));
    signal.addEventListener("abort", () => {
      watcher.disconnect();
      this.#graph?.destroy();
      this.#graph = undefined;
    });
    load().then(() => watcher.observe(this.#area), (error) => show(this.#area, h("p", { class: "muted" }, error.message)));
  }

  /** @param {Row[]} rows all that there is to draw, oldest first */
  set(rows) {
    this.#rows = rows;
    this.#nothing.hidden = rows.length > 0;
    this.#ask();
  }

  /** Adds a row at the end; one that is older than the last is let go. @param {Row} row */
  add(row) {
    if (this.#rows.length > 0 && row[0] < this.#rows.at(-1)[0]) return;
    this.#rows.push(row);
    this.#nothing.hidden = true;
    if (this.#window_ms !== undefined) {
      const oldest = row[0] - this.#window_ms;
      const kept = this.#rows.findIndex(([at]) => at >= oldest);
      if (kept > 0) this.#rows.splice(0, kept);
    }
    if (this.#rows.length > ROWS_MAX) this.#rows.splice(0, this.#rows.length - ROWS_MAX);
    this.#ask();
  }

  /**
   * Marks stretches of time, and moments, behind the lines.
   * @param {[number, number][]} spans
   * @param {number[]} moments
   */
  mark(spans, moments) {
    this.#marks = { spans, moments };
    this.#ask();
  }

  /** Shows a part; null shows all. @param {[number, number] | null} window */
  zoom(window) {
    this.#zoomed = window;
    this.#ask();
  }

  #ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
    });
  }

  #draw() {
    this.#label();
    if (!this.#graph) return;
    this.#isDrawing = true;
    this.#graph.updateOptions(
      { file: this.#rows.length > 0 ? this.#rows : [[Date.now(), ...this.#series.map(() => null)]], dateWindow: this.#zoomed }
    );
    this.#isDrawing = false;
  }

  #build() {
    if (!globalThis.Dygraph || !this.#area.isConnected) return;
    this.#graph?.destroy();
    const [line, text] = [colour("line"), colour("muted")];
    const [shade, stroke] = [colour("bad-soft"), colour("bad")];
    this.#graph = new Dygraph(this.#area, this.#rows.length > 0 ? this.#rows : [[Date.now(), ...this.#series.map(() => null)]], {
      labels: ["x", ...this.#series.map((_, place) => `y${place}`)],
      colors: this.#series.map(
        (series, place) => (series.dashed ? faint : colour)(colourOf(series, place))
      ),
      series: Object.fromEntries(
        this.#series.map((series, place) => [`y${place}`, { strokePattern: series.dashed ? [5, 4] : null, stepPlot: series.step === true }])
      ),
      axes: {
        x: { axisLabelWidth: 64, pixelsPerLabel: 70, ticker: Dygraph.dateTicker, axisLabelFormatter: Dygraph.dateAxisLabelFormatter },
        y: { axisLabelWidth: 44, pixelsPerLabel: 28, axisLabelFormatter: (value) => number(value), includeZero: false },
      },
      gridLineColor: line,
      axisLineColor: line,
      axisLabelFontSize: 12,
      axisLabelColor: text,
      strokeWidth: 1.75,
      connectSeparatedPoints: true,
      rightGap: 4,
      yRangePad: 12,
      xRangePad: 2,
      highlightCircleSize: 3, animatedZooms: false, dateWindow: this.#zoomed, legend: "never",
      underlayCallback: (canvas, area, graph) => this.#drawMarks(canvas, area, graph, shade, stroke),
      highlightCallback: (_, at, points) => this.#label(at, points.map(({ name, yval }) => [Number(name.slice(1)), yval])),
      unhighlightCallback: () => this.#label(),
      zoomCallback: (from, to) => this.#zoomBy(from, to),
      drawCallback: (graph, isInitial) => { if (!isInitial && !this.#isDrawing) this.#moved(graph); },
    });
  }

  #drawMarks(canvas, { x, y, w, h: height }, graph, shade, stroke) {
    const place = (at) => Math.max(x, Math.min(x + w, graph.toDomXCoord(at)));
    canvas.fillStyle = shade;
    for (const [from, to] of this.#marks.spans) canvas.fillRect(place(from), y, Math.max(1, place(to) - place(from)), height);
    canvas.fillStyle = stroke;
    for (const at of this.#marks.moments) if (place(at) === graph.toDomXCoord(at)) canvas.fillRect(place(at), y, 1, height);
  }

  #zoomBy(from, to) {
    const first = this.#rows[0]?.[0] ?? 0;
    const last = this.#rows.at(-1)?.[0] ?? 0;
    this.#zoomed = from <= first && to >= last ? null : [from, to];
    this.onwindow(this.#zoomed);
  }

  /** The person has dragged it to another time. */
  #moved(graph) {
    if (!graph.isZoomed("x")) return;
    this.#zoomed = graph.xAxisRange();
  }

  /** The values under the pointer, or the newest. */
  #label(at, values) {
    const newest = (place) => this.#rows.findLast((row) => isNumber(row[place + 1]))?.[place + 1];
    const shown = values ?? this.#series.map((_, place) => [place, newest(place)]);
    show(this.#legend, at !== undefined && h("span", { class: "muted" }, moment(at)), shown.map(([place, value]) =>
      h(
        "span",
        {
          class: `key ${colourOf(this.#series[place], place)}${this.#series[place].dashed ? " dashed" : ""}`,
        },
        wire(this.#series[place].name, 40),
        " ",
        h("b", {}, number(value, this.#unit)),
      )));
  }
}
