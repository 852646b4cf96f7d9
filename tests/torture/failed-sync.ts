/**
 * Syncs that fail: the system tells a receiver under load that what it has written to its file is not on disk, now and then,
 * as a disk does that breaks. What was not synced must not be acknowledged, unless the spill has it.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { check, quiet, type Report } from "./checker.ts";
import { run, started, stopped, within } from "./children.ts";
import { readLedger } from "./ledger.ts";
import { freePort } from "../services/server.ts";

export interface FailedSyncOptions {
  readonly hasSpill: boolean;
  /** Goes on until so many syncs have failed, one of them under a delivery. */
  readonly failures: number;
  readonly seed: number;
  readonly onFailure?: (failures: number) => void;
}

export interface FailedSyncReport extends Report {
  readonly syncs: number;
  readonly failures: number;
  /** How often the spill took over. */
  readonly spilled: number;
  readonly seed: number;
}

const every = 11;
const lookEveryMs = 200;
const runsMsMax = 300_000;
const idleMsMax = 60_000;

export async function failedSyncRun(options: FailedSyncOptions): Promise<FailedSyncReport> {
  const { hasSpill, failures, seed, onFailure } = options;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-sync-"));
  const paths = {
    store: join(directory, "inbox.sqlite"),
    effects: join(directory, "effects.jsonl"),
    ledger: join(directory, "ledger.jsonl"),
  };
  const [spill, log] = [join(directory, "spill.sqlite"), join(directory, "syncs.log")];
  const port = await freePort();
  const given = { port, store: paths.store, effects: paths.effects };
  const inside = within.failingSyncs(every, [paths.store, `${paths.store}-wal`], log);
  let spilled = 0;
  const receiver = await started(
    "receiver.ts",
    { ...given, spill: hasSpill ? spill : undefined },
    inside,
    (text) => (spilled += text.split("spilling").length - 1),
  );
  const sender = run("sender.ts", {
    port,
    ledger: paths.ledger,
    seed,
    connections: 8,
    pauseMs: 20,
  });
  try {
    const deadline = Date.now() + runsMsMax;
    // Those of settlements and checkpoints are nothing that a sender would notice.
    const isNoticed = (): boolean =>
      hasSpill ? spilled > 0 : readLedger(paths.ledger).some(({ status }) => status === 503);
    const isEnough = (): boolean => failedIn(log).failed >= failures && isNoticed();
    while (!isEnough() && Date.now() < deadline) {
      await pause(lookEveryMs);
      onFailure?.(failedIn(log).failed);
    }
    await stopped(sender, "SIGTERM");
    await quiet(paths.store, hasSpill ? [spill] : [], idleMsMax);
    await stopped(receiver, "SIGKILL");
    const { all, failed } = failedIn(log);
    return { ...(await check(paths)), syncs: all, failures: failed, spilled, seed };
  } finally {
    sender.kill("SIGKILL");
    receiver.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

function failedIn(log: string): { readonly all: number; readonly failed: number } {
  const lines = readFileSync(log, "utf8").split("\n");
  return {
    all: lines.filter((line) => /f(?:data)?sync/.test(line)).length,
    failed: lines.filter((line) => line.includes("(INJECTED)")).length,
  };
}
