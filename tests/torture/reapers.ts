/** Many workers find the same leases ended at the same moment: each event goes to one of them. */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@webhook-inbox/core";
import { newEvent } from "../support/new-event.ts";
import { bodyOf } from "./body.ts";
import { quiet } from "./checker.ts";
import { started } from "./children.ts";
import { readEffects } from "./effects.ts";
import type { Place } from "./places.ts";
import { eventsAt, storeAt } from "./stores.ts";

export interface ReapersReport {
  readonly reapers: number;
  /** Events whose holder died, and those of them that were not handled exactly once, by their second attempt. */
  readonly expired: number;
  readonly not_reaped_once: number;
  readonly stuck: number;
}

const reapers = 5;
const batch = 100;
const idleMsMax = 60_000;

export async function reapersRun(place: Place, expired: number): Promise<ReapersReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-reapers-"));
  const store = place.url === "" ? join(directory, "inbox.sqlite") : place.url;
  const effects = join(directory, "effects.jsonl");
  const workers: ChildProcess[] = [];
  try {
    const ids = Array.from({ length: expired }, (_, n) => `held-${n}`);
    await abandon(store, ids);
    const starting = Array.from({ length: reapers }, () =>
      started("receiver.ts", { store, effects, role: "work" }).then((child) => workers.push(child)),
    );
    await Promise.all(starting);
    await quiet(store, [], idleMsMax);
    const attempts = new Map<string, number[]>();
    for (const { id, attempt } of readEffects(effects)) {
      attempts.set(id, [...(attempts.get(id) ?? []), attempt]);
    }
    const events = await eventsAt(store);
    return {
      reapers,
      expired,
      not_reaped_once: ids.filter((id) => String(attempts.get(id)) !== "2").length,
      stuck: events.filter(({ state }) => state !== "done").length,
    };
  } finally {
    for (const child of workers) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Claims events and is never heard of again. */
async function abandon(url: string, ids: readonly string[]): Promise<void> {
  const { store, end } = storeAt(url);
  await store.open({ clock: systemClock });
  for (let first = 0; first < ids.length; first += batch) {
    const events = ids
      .slice(first, first + batch)
      .map((id) => newEvent("audata", id, "Listener.updated", bodyOf(id)));
    const ask = { fence: `dead/${first}`, leaseMs: 1, slots: { audata: events.length } };
    await store.take(events, ask);
  }
  await store.close();
  await end();
}
