/** `list`: events as rows, newest first. */

import {
  forever,
  type EventFilter,
  type EventRecord,
  type Inbox,
  visibleJson,
} from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import { duration, instant, table } from "../text.ts";

const names = ["RECEIVED", "KEY", "SOURCE", "TYPE", "STATE", "ATTEMPTS", "ID"];
const pageMax = 100;

const stateOf = ({ state, reason }: EventRecord): string =>
  reason === undefined ? state : `${state} (${reason})`;

export const rowOf = (event: EventRecord): readonly (string | number)[] => [
  instant(event.receivedAt),
  event.key,
  event.source,
  event.type,
  stateOf(event),
  event.attempts,
  event.id,
];

interface ListOptions {
  readonly limit: number;
  readonly json: boolean;
}

export async function list(
  inbox: Inbox,
  filter: EventFilter,
  { limit, json }: ListOptions,
  { out, err, stopped }: Console,
): Promise<void> {
  const found: EventRecord[] = [];
  let cursor: string | undefined;
  let isMore: boolean;
  do {
    const page = await inbox.list({
      ...filter,
      cursor,
      limit: Math.min(pageMax, limit - found.length),
    });
    found.push(...page.events);
    ({ cursor } = page);
    isMore = cursor !== undefined && !stopped.aborted;
  } while (isMore && found.length < limit);
  if (json) {
    for (const event of found) out.write(`${visibleJson(event)}\n`);
  } else if (found.length > 0) {
    out.write(`${table(names, found.map(rowOf))}\n`);
  } else {
    err.write("No events.\n");
  }
  if (isMore) err.write(`There are more: --limit ${limit * 10}\n`);
}

/** When an event is to be tried again, in words. */
export function dueIn({ state, dueAt }: EventRecord): string {
  if (state !== "pending") return "";
  const waitMs = dueAt - Date.now();
  if (dueAt >= forever) return "waits behind others of its lane";
  return waitMs <= 0 ? "due now" : `due in ${duration(waitMs)}`;
}
