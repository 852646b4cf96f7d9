/** Clocks that are far away: what is due in longer than timers last is not early, and years of other lengths are years. */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { bodyOf } from "./body.ts";
import { quiet } from "./checker.ts";
import { started, stopped, within } from "./children.ts";
import { readEffects } from "./effects.ts";
import { ask } from "./rate.ts";
import { eventsAt } from "./stores.ts";
import { freePort } from "../services/server.ts";

export interface FarClocksReport {
  readonly delay_days: number;
  /** Whether the event was tried again too early. */
  readonly was_early: boolean;
  /** Clocks at which deliveries were sent, those of them that were not answered 200, and what was left undone at each. */
  readonly clocks: readonly string[];
  /** Clocks among them by which the receiver did not go. */
  readonly not_far: number;
  readonly not_200: number;
  readonly undone: number;
}

const dayMs = 86_400_000;
/** Timers of Node last 24.8 days at most; delays vary by a fifth. */
const delayDays = 60;
const beforeDays = 47;
const afterDays = 73;
const farMs = (afterDays - 1) * dayMs;
/** Several looks of a worker. */
const looksMs = 3500;
const idleMsMax = 30_000;
/** Beyond 2038, and the last year that has four digits. */
const years = ["+13y", "+7970y"];

export async function farClocksRun(): Promise<FarClocksReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-far-clocks-"));
  const store = join(directory, "inbox.sqlite");
  const effects = join(directory, "effects.jsonl");
  const port = await freePort();
  const agent = new Agent();
  let receiver: ChildProcess | undefined;
  let not200 = 0;

  /** The receiver at that time; the first attempt of every event that is sent to it fails. */
  async function at(clock: string, delayMs?: number): Promise<void> {
    if (receiver !== undefined) await stopped(receiver, "SIGKILL");
    const inside = clock === "" ? [] : within.clock(clock);
    receiver = await started("receiver.ts", { port, store, effects, delayMs }, inside);
    const { status } = await ask(port, agent, "/webhooks/audata/t", bodyOf(`at${clock}-7`));
    if (status !== 200) not200 += 1;
  }
  const isHandled = (id: string): boolean => readEffects(effects).some((one) => one.id === id);

  try {
    await at("", delayDays * dayMs);
    while ((await eventsAt(store)).some(({ state }) => state !== "pending")) await pause(50);
    await at(`+${beforeDays}d`);
    await pause(looksMs);
    const wasEarly = isHandled("at-7");
    const clocks = [`+${afterDays}d`, ...years];
    let [undone, notFar] = [0, 0];
    for (const clock of clocks) {
      await at(clock);
      await quiet(store, [], idleMsMax);
      const events = await eventsAt(store);
      undone += events.filter(({ state }) => state !== "done").length;
      if (receivedAt(store, `at${clock}-7`) < Date.now() + farMs) notFar += 1;
    }
    return {
      delay_days: delayDays,
      was_early: wasEarly,
      clocks,
      not_far: notFar,
      not_200: not200,
      undone,
    };
  } finally {
    receiver?.kill("SIGKILL");
    agent.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
}

function receivedAt(file: string, id: string): number {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    const asked = database.prepare("SELECT received_at FROM webhook_inbox_events WHERE id = ?");
    return Number(asked.get(id)?.["received_at"]);
  } finally {
    database.close();
  }
}
