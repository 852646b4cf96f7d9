/**
 * A restore: a file is backed up while deliveries come in; later it is lost, and the backup takes its place. What had been
 * acknowledged when the backup began is there, what came later is taken as new when it is sent again, and the books balance.
 */

import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { backup } from "@webhook-inbox/core/sqlite";
import { bodyOf } from "./body.ts";
import { run, started, stopped } from "./children.ts";
import { ackedIn } from "./ledger.ts";
import { ask } from "./rate.ts";
import { eventsAt, isBalancedAt } from "./stores.ts";
import { freePort } from "../services/server.ts";

export interface RestoreReport {
  readonly acked: number;
  /** Acknowledged when the backup began. */
  readonly acked_before: number;
  /** Of these, not in the backup. */
  readonly lost: number;
  /** Sent again after the restore, of those that came after the backup; and those of them that are not there once. */
  readonly sent_again: number;
  readonly not_taken: number;
  readonly is_balanced: boolean;
}

const sentAgainMax = 200;

export async function restoreRun(seed: number): Promise<RestoreReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-restore-"));
  const [store, copy] = [join(directory, "inbox.sqlite"), join(directory, "backup.sqlite")];
  const [ledger, effects] = [join(directory, "ledger.jsonl"), join(directory, "effects.jsonl")];
  const port = await freePort();
  let receiver = await started("receiver.ts", { port, store, effects });
  const sender = run("sender.ts", { port, ledger, seed, pauseMs: 10 });
  const agent = new Agent({ keepAlive: true });
  try {
    await pause(2000);
    const before = ackedIn(ledger);
    await backup(store, copy);
    await pause(1000);
    await stopped(sender, "SIGTERM");
    await stopped(receiver, "SIGKILL");
    for (const end of ["", "-wal", "-shm"]) rmSync(store + end, { force: true });
    renameSync(copy, store);
    const restored = new Set((await eventsAt(store)).map(({ id }) => id));
    receiver = await started("receiver.ts", { port, store, effects });
    const after = [...ackedIn(ledger)].filter((id) => !restored.has(id)).slice(0, sentAgainMax);
    for (const id of after) await ask(port, agent, "/webhooks/audata/t", bodyOf(id));
    await stopped(receiver, "SIGKILL");
    const there = (await eventsAt(store)).map(({ id }) => id);
    return {
      acked: ackedIn(ledger).size,
      acked_before: before.size,
      lost: [...before].filter((id) => !restored.has(id)).length,
      sent_again: after.length,
      not_taken: after.filter((id) => there.filter((one) => one === id).length !== 1).length,
      is_balanced: await isBalancedAt(store),
    };
  } finally {
    agent.destroy();
    sender.kill("SIGKILL");
    receiver.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}
