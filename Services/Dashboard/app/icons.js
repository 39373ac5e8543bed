// Line drawings of 24 by 24, told apart by their paths alone.

import { svg } from "./dom.js";

const PATHS = {
  fleet: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  cameras: "M3 7h11v10H3zM14 10l7-3v10l-7-3",
  rules: "M4 6h10M4 12h6M4 18h10M18 4v4M14 10v4M18 16v4",
  webhooks: "M8 8a4 4 0 1 1 5 4l-2 5M16 17a3 3 0 1 1-3 3M11 17a4 4 0 1 1-4-5",
  alarms: "M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4",
  audit: "M6 3h9l4 4v14H6zM9 11h7M9 15h7",
  system: "M4 5h16v6H4zM4 13h16v6H4zM7 8h1M7 16h1",
  menu: "M4 7h16M4 12h16M4 17h16",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  moon: "M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  out: "M10 4H5v16h5M14 8l4 4-4 4M9 12h9",
  warning: "M12 3l10 18H2zM12 10v5M12 18v.5",
  nothing: "M4 8l8-5 8 5v8l-8 5-8-5zM4 8l8 5 8-5M12 13v8",
};

/** @param {keyof typeof PATHS} name */
export const icon = (name) =>
  svg(
    "svg",
    {
      viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.75", "stroke-linecap": "round",
      "stroke-linejoin": "round", "aria-hidden": "true",
    },
    svg("path", { d: PATHS[name] }));
