/**
 * A power cut: a receiver under load keeps its file on a disk of its own, whose image is copied as it stands at random
 * moments. What was not synced by then is not in the copy; what had been acknowledged by then must be.
 */

import type { ChildProcess } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { idOf } from "./body.ts";
import { run, started, stopped } from "./children.ts";
import { ackedIn } from "./ledger.ts";
import { BrittleDisk, mountedCopy } from "../services/disk.ts";
import { freePort } from "../services/server.ts";
import { seeded } from "../support/random.ts";

export interface PowerCutOptions {
  /** Whose file is on the disk: the store, or the spill, while the store is away. */
  readonly file: "store" | "spill";
  readonly cuts: number;
  readonly seed: number;
  /** Runs the control instead: nothing is synced. */
  readonly unsynced?: boolean;
  readonly onCut?: (cuts: number) => void;
}

export interface PowerCutReport {
  readonly cuts: number;
  /** Deliveries that had been answered 200 before the last cut: each cut is held to those before it. */
  readonly acked: number;
  /** Those of them that were not in the file after it. */
  readonly lost: number;
  /** Files that SQLite found to be damaged. */
  readonly damaged: number;
  readonly seed: number;
}

const aliveMsMax = 1500;
const diskMiB = 64;

export async function powerCutRun(options: PowerCutOptions): Promise<PowerCutReport> {
  const { file, cuts, seed, unsynced = false, onCut } = options;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-power-"));
  const disk = new BrittleDisk(join(directory, "disk"), diskMiB);
  const ledger = join(directory, "ledger.jsonl");
  const inbox = join(disk.path, "inbox.sqlite");
  const port = await freePort();
  const random = seeded(seed);
  const sums = { lost: 0, damaged: 0 };
  let before: ReadonlySet<string> = new Set();
  const children: ChildProcess[] = [];
  try {
    const receiver = await started("receiver.ts", {
      port,
      // Nobody listens there.
      store: file === "store" ? inbox : `postgres://127.0.0.1:${await freePort()}/x`,
      spill: file === "spill" ? inbox : undefined,
      effects: join(directory, "effects.jsonl"),
      unsynced,
    });
    children.push(receiver);
    children.push(run("sender.ts", { port, ledger, seed, pauseMs: 20 }));
    for (let cut = 1; cut <= cuts; cut++) {
      await pause(200 + random() * aliveMsMax);
      // What is under way in it must not write on while the image is read.
      receiver.kill("SIGSTOP");
      const acked = ackedIn(ledger);
      const copy = join(directory, "copy.image");
      copyFileSync(disk.image, copy);
      receiver.kill("SIGCONT");
      const found = idsIn(copy, directory);
      before = acked;
      sums.lost += [...acked].filter((id) => found?.has(id) !== true).length;
      if (found === undefined) sums.damaged += 1;
      onCut?.(cut);
    }
    return { cuts, acked: before.size, ...sums, seed };
  } finally {
    for (const child of children) {
      child.kill("SIGCONT");
      await stopped(child, "SIGKILL");
    }
    disk.remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Ids in the file on a copy of the disk; undefined if it is damaged. */
function idsIn(image: string, directory: string): ReadonlySet<string> | undefined {
  const copy = mountedCopy(image, join(directory, "copy"));
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(copy.path, "inbox.sqlite"));
    const [check] = database.prepare("PRAGMA integrity_check").all();
    if (check?.["integrity_check"] !== "ok") return undefined;
    const rows = database
      .prepare("SELECT CAST(body AS TEXT) AS body FROM webhook_inbox_deliveries")
      .all();
    return new Set(rows.map(({ body }) => idOf(String(body))));
  } catch {
    return undefined;
  } finally {
    database?.close();
    copy.remove();
  }
}
