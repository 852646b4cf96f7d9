/** `tail`: events as they come in. */

import { setTimeout as pause } from "node:timers/promises";
import {
  type EventFilter,
  type EventRecord,
  type Inbox,
  visibleJson,
  visible,
} from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import { rowOf } from "./list.ts";

/** How often it looks, and how far back: events may become visible a little after others that came later. */
const everyMs = 1000;
const overlapMs = 10_000;

/** Prints what comes in from now on, until it is stopped. */
export async function tail(
  inbox: Inbox,
  filter: EventFilter,
  json: boolean,
  { out, stopped }: Console,
): Promise<void> {
  const began = Date.now();
  let seen = new Map<string, number>();
  while (!stopped.aborted) {
    const from = Math.max(began, Date.now() - overlapMs);
    const fresh: EventRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await inbox.list({ ...filter, receivedFrom: from, cursor });
      fresh.push(...page.events.filter(({ key }) => !seen.has(key)));
      ({ cursor } = page);
    } while (cursor !== undefined && !stopped.aborted);
    for (const event of fresh.toReversed()) {
      seen.set(event.key, event.receivedAt);
      out.write(
        `${json ? visibleJson(event) : rowOf(event).map(String).map(visible).join("  ")}\n`,
      );
    }
    seen = new Map([...seen].filter(([, receivedAt]) => receivedAt >= from - overlapMs));
    await pause(everyMs, undefined, { signal: stopped }).catch(() => undefined);
  }
}
