/** `pnpm bench slow-disk`: deliveries answered where each sync of the disk takes a millisecond more (P3). Needs `strace`. */

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ratiosOf, reachedOf, spread, type Report, type Target } from "./report.ts";
import { median, roundsOf } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";

const floor = "node:sqlite INSERT";
const names = ["sqlite", "sqlite, HMAC", floor];
const targets: readonly Target[] = [{ id: "P3", of: "sqlite", to: floor, atLeast: 12 }];
const addedMs = 1;

export interface SlowDiskOptions {
  readonly rounds: number;
  readonly seconds: number;
}

/** Runs Node with syncs that take longer; nothing else of it is looked at, or slowed down. */
function slowNode(directory: string): string {
  const program = join(directory, "node");
  const syncs = "fsync,fdatasync";
  const strace = `strace -f --seccomp-bpf -qq -o /dev/null -e trace=${syncs} -e inject=${syncs}:delay_exit=${addedMs * 1000}`;
  writeFileSync(program, `#!/bin/sh\nexec taskset -c 0 ${strace} "${process.execPath}" "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

export async function slowDisk(
  places: Places,
  { rounds, seconds }: SlowDiskOptions,
): Promise<Report> {
  if (spawnSync("strace", ["-V"]).status !== 0) {
    throw new Error("`pnpm bench slow-disk` needs strace (Debian: strace).");
  }
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-bench-"));
  try {
    const found = await roundsOf({
      names,
      rounds,
      connections: 64,
      warmUpMs: 3000,
      countedMs: seconds * 1000,
      places,
      execPath: slowNode(directory),
    });
    const speedsOf = (name: string): readonly number[] =>
      (found.get(name) ?? []).map(({ perSecond }) => perSecond);
    return {
      name: "slow-disk",
      how: `Each sync takes ${addedMs} ms more. 64 connections, ${rounds} interleaved rounds of ${seconds} s, medians.`,
      heads: ["subject", "answers/s", "× INSERT", "p50 ms", "p99 ms"],
      rows: names.map((name) => {
        const measured = found.get(name) ?? [];
        return [
          name,
          Math.round(median(speedsOf(name))).toLocaleString("en"),
          spread(ratiosOf(speedsOf(name), speedsOf(floor))),
          median(measured.map(({ p50Ms }) => p50Ms)).toFixed(1),
          median(measured.map(({ p99Ms }) => p99Ms)).toFixed(1),
        ];
      }),
      reached: reachedOf(targets, speedsOf),
      figures: Object.fromEntries(found),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
