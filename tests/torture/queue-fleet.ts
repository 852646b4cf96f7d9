/**
 * A receiver that hands events to a BullMQ queue, and a fleet of workers in processes of their own: any of them is killed at random
 * moments. Every event that was acknowledged becomes one job, and every job is done.
 */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Queue } from "bullmq";
import { freePort } from "../services/server.ts";
import { startRedis } from "../services/redis.ts";
import { seeded } from "../support/random.ts";
import { quiet } from "./checker.ts";
import { run, started, stopped } from "./children.ts";
import { readEffects } from "./effects.ts";
import { ackedIn } from "./ledger.ts";
import type { Place } from "./places.ts";

export interface QueueFleetReport {
  readonly acked: number;
  /** Acknowledged events that no worker has done. */
  readonly lost: number;
  /** Jobs beyond one for each event, and jobs that are not done. */
  readonly jobs_twice: number;
  readonly jobs_left: number;
  readonly receivers_killed: number;
  readonly workers_killed: number;
  /** Events done more than once: as many as killed workers had in hand, at most. */
  readonly done_again: number;
  readonly in_hand_max: number;
  readonly seed: number;
}

export const queueName = "torture";
export const workerConcurrency = 10;
const aliveMsMax = 1500;
const idleMsMax = 60_000;

export async function queueFleetRun(
  place: Place,
  { kills, seed, onKill }: { kills: number; seed: number; onKill?: (kills: number) => void },
): Promise<QueueFleetReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-queue-"));
  const [ledger, effects] = [join(directory, "ledger.jsonl"), join(directory, "effects.jsonl")];
  const store = place.url === "" ? join(directory, "inbox.sqlite") : place.url;
  const redis = await startRedis();
  const queue = new Queue(queueName, { connection: { url: redis.url } });
  const port = await freePort();
  const random = seeded(seed);
  const children: ChildProcess[] = [];
  const killed = { receiver: 0, worker: 0 };
  const start = {
    receiver: () => started("queue-receiver.ts", { port, store, queue: redis.url }),
    worker: () => started("queue-worker.ts", { store, queue: redis.url, effects }),
  };
  try {
    const roles: ("receiver" | "worker")[] = ["receiver", "worker", "worker", "worker"];
    const members = await Promise.all(
      roles.map(async (role) => ({ role, child: await start[role]() })),
    );
    for (const { child } of members) children.push(child);
    const sender = run("sender.ts", { port, ledger, seed, connections: 8, pauseMs: 20 });
    children.push(sender);
    for (let kill = 1; kill <= kills; kill++) {
      await pause(100 + random() * aliveMsMax);
      const [receiver, ...workers] = members;
      const member = kill % 3 === 0 ? receiver : workers[Math.floor(random() * workers.length)];
      if (member === undefined) throw new Error("no such member");
      await stopped(member.child, "SIGKILL");
      killed[member.role] += 1;
      member.child = await start[member.role]();
      children.push(member.child);
      onKill?.(kill);
    }
    await stopped(sender, "SIGTERM");
    await quiet(store, [], idleMsMax);
    await emptied(queue);
    const acked = ackedIn(ledger);
    const done = readEffects(effects).map(({ id }) => id);
    const distinct = new Set(done);
    const { completed = 0, ...left } = await queue.getJobCounts();
    return {
      acked: acked.size,
      lost: [...acked].filter((id) => !distinct.has(id)).length,
      jobs_twice: completed - distinct.size,
      jobs_left: Object.values(left).reduce((sum, count) => sum + count, 0),
      receivers_killed: killed.receiver,
      workers_killed: killed.worker,
      done_again: done.length - distinct.size,
      in_hand_max: killed.worker * workerConcurrency,
      seed,
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await queue.close();
    await redis.remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves once no job waits or runs any more, or nothing has happened for long. */
async function emptied(queue: Queue): Promise<void> {
  let last = -1;
  let changedAt = performance.now();
  while (performance.now() - changedAt < idleMsMax) {
    const left = await queue.getJobCountByTypes("waiting", "active", "delayed", "prioritized");
    if (left === 0) return;
    if (left !== last) [last, changedAt] = [left, performance.now()];
    await pause(100);
  }
}
