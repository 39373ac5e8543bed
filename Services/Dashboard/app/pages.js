// Every page, by the first part of its address.

import * as alarms from "../pages/alarms.js";
import * as appliance from "../pages/appliance.js";
import * as audit from "../pages/audit.js";
import * as cameras from "../pages/cameras.js";
import * as fleet from "../pages/fleet.js";
import * as rules from "../pages/rules.js";
import * as system from "../pages/system.js";
import * as webhooks from "../pages/webhooks.js";

/**
 * @type {Record<string, { title: string, isForAdmins?: boolean, mount: (context: any, place: Element, path: string[], query:
 *   URLSearchParams) => Promise<void> }>}
 */
export const pages = { fleet, appliances: appliance, alarms, cameras, rules, webhooks, audit, system };

/** What the navigation shows, in its order. */
export const places = ["fleet", "alarms", "cameras", "rules", "webhooks", "audit", "system"];
