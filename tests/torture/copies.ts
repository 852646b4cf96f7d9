/** Copies of the same deliveries at four processes at once, on one store: each is one event, and each copy is answered 200. */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { bodyOf } from "./body.ts";
import { started } from "./children.ts";
import { readEffects } from "./effects.ts";
import type { Place } from "./places.ts";
import { ask } from "./rate.ts";
import { eventsAt } from "./stores.ts";
import { freePort } from "../services/server.ts";

export interface CopiesOptions {
  readonly ids: number;
  /** Of each, half of them with other bytes if `differ`. */
  readonly copies: number;
  readonly differ: boolean;
}

export interface CopiesReport {
  readonly sent: number;
  /** Copies that were answered with anything but 200. */
  readonly not_200: number;
  /** Ids that are not exactly one event that was handled; and those whose handler has run more than once. */
  readonly not_one_event: number;
  readonly dup_effects: number;
  /** Of those with other bytes: ids of which not exactly one variant is kept as a conflict. */
  readonly not_one_conflict: number;
}

const processes = 4;
const quietMsMax = 60_000;

export async function copiesRun(place: Place, options: CopiesOptions): Promise<CopiesReport> {
  const { ids, copies, differ } = options;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-copies-"));
  const store = place.url === "" ? join(directory, "inbox.sqlite") : place.url;
  const effects = join(directory, "effects.jsonl");
  const receivers: { readonly port: number; readonly child: ChildProcess }[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: copies });
  try {
    for (let n = 0; n < processes; n++) {
      const port = await freePort();
      receivers.push({ port, child: await started("receiver.ts", { port, store, effects }) });
    }
    let not200 = 0;
    for (let n = 0; n < ids; n++) {
      const body = bodyOf(`copy-${n}`);
      const answers = await Promise.all(
        Array.from({ length: copies }, (_, copy) => {
          const port = receivers[copy % processes]?.port ?? 0;
          const isOther = differ && copy >= copies / 2;
          return ask(port, agent, "/webhooks/audata/t", isOther ? `${body} ` : body);
        }),
      );
      not200 += answers.filter(({ status }) => status !== 200).length;
    }
    const statesOf = await quietStates(store);
    const runs = new Map<string, number>();
    for (const { id } of readEffects(effects)) runs.set(id, (runs.get(id) ?? 0) + 1);
    const names = Array.from({ length: ids }, (_, n) => `copy-${n}`);
    const count = (isSo: (id: string) => boolean): number => names.filter(isSo).length;
    const of = (id: string, state: string): number =>
      (statesOf.get(id) ?? []).filter((one) => one === state).length;
    return {
      sent: ids * copies,
      not_200: not200,
      not_one_event: count((id) => of(id, "done") !== 1),
      dup_effects: count((id) => runs.get(id) !== 1),
      not_one_conflict: count((id) => of(id, "quarantined") !== (differ ? 1 : 0)),
    };
  } finally {
    agent.destroy();
    for (const { child } of receivers) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The states of the events of each id, once none is to be worked on any more. */
async function quietStates(store: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const deadline = Date.now() + quietMsMax;
  let events = await eventsAt(store);
  const isOver = (): boolean =>
    events.every(({ state }) => state === "done" || state === "quarantined");
  while (!isOver() && Date.now() < deadline) {
    await pause(200);
    events = await eventsAt(store);
  }
  const found = new Map<string, string[]>();
  for (const { id, state } of events) found.set(id, [...(found.get(id) ?? []), state]);
  return found;
}
