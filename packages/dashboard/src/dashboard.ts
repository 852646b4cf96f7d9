/** The dashboard as a fetch handler. */

import type { FetchHandler } from "@webhook-inbox/core/node";
import type { ShownInbox } from "./call.ts";
import { routes } from "./routes.ts";
import { Runs } from "./runs.ts";
import { site, type SiteOptions } from "./site/site.ts";

/** There is no dashboard without `access`. */
export interface DashboardOptions extends SiteOptions {}

const known: readonly string[] = ["access", "hosts", "title"];

const places = [
  { path: "/", label: "Overview" },
  { path: "/events", label: "Events" },
  { path: "/acts", label: "Acts" },
];

/**
 * A page on an inbox, for every framework: `mount(dashboard(inbox, { access }))`, and `dashboard(inbox, { access })(request, {
 * path })` where a framework speaks `Request` and `Response`. Server-rendered; makes no request to anybody else. Throws a
 * `TypeError` without `access`, and for an option that it does not know.
 *
 * @example
 * app.use("/admin", mount(dashboard(inbox, { access: (request) => userOf(request), hosts: ["ops.example.com"] })));
 */
export function dashboard(inbox: ShownInbox, options: DashboardOptions): FetchHandler {
  check(options);
  return site({ ...options, routes, places, own: { inbox, runs: new Runs(inbox) } });
}

/** What is asked of those who do not use TypeScript. */
function check(given: Partial<DashboardOptions> | undefined): void {
  if (typeof given?.access !== "function") {
    throw new TypeError(
      "dashboard needs access: a function that says who may look, such as (request) => userOf(request). " +
        "Without it anybody could read and replay your webhooks.",
    );
  }
  const stranger = Object.keys(given).find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw new TypeError(`dashboard knows no option "${stranger}": there are ${known.join(", ")}.`);
  }
  const isUrl = (host: string): boolean => /[/:*\s]/.test(host.replace(/^\[.*\]$/, ""));
  if (given.hosts?.some(isUrl) === true) {
    throw new TypeError(
      'dashboard: hosts are names without scheme and port, such as "ops.example.com".',
    );
  }
}
