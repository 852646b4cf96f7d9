/** Checks of what selects events: what is misspelt or undefined must never select more than was meant. */

import type { ListQuery, TallyQuery } from "../contracts/store.ts";
import { refuseUnknown, WebhookInboxError } from "../errors.ts";

export const filterNames: readonly string[] = [
  "source",
  "type",
  "state",
  "reason",
  "receivedFrom",
  "receivedBefore",
];
const numbers: ReadonlySet<string> = new Set([
  "receivedFrom",
  "receivedBefore",
  "from",
  "before",
  "stepMs",
  "limit",
]);
const minuteMs = 60_000;

/** Throws `SELECTION_INVALID` for what is unknown, undefined, or of the wrong kind. */
export function checkFilter(where: string, filter: object, names: readonly string[]): void {
  refuseUnknown("SELECTION_INVALID", where, filter, names);
  for (const [name, value] of Object.entries(filter) as [string, unknown][]) {
    const kind = numbers.has(name) ? "number" : "string";
    if (typeof value === kind && !Number.isNaN(value)) continue;
    const hint = numbers.has(name) ? " of milliseconds" : "";
    throw invalid(
      `${where}: ${name} must be a ${kind}${kind === "number" ? hint : ""}, and is ${typeof value === "number" ? "NaN" : typeof value}.`,
    );
  }
}

export function checkListQuery({ cursor, limit, order, ...filter }: ListQuery): void {
  checkFilter("list", filter, [...filterNames, "cursor", "limit", "order"]);
  if (order !== undefined && order !== "newest" && order !== "oldest") {
    throw invalid(`list: order is "newest" or "oldest".`);
  }
  // These two select nothing: a first page has no cursor.
  if (cursor !== undefined) checkFilter("list", { cursor }, ["cursor"]);
  if (limit !== undefined) checkFilter("list", { limit }, ["limit"]);
}

export function checkTallyQuery(query: TallyQuery): void {
  checkFilter("tally", query, ["source", "type", "from", "before", "stepMs"]);
  if ((query.stepMs ?? minuteMs) < minuteMs) throw invalid("tally: stepMs is at least a minute.");
}

export function invalid(message: string): WebhookInboxError {
  return new WebhookInboxError("SELECTION_INVALID", message);
}
