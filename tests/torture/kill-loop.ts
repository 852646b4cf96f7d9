/**
 * The kill loop: a receiver under load is killed with SIGKILL at random moments and started again, many times; then the
 * checker says what became of every delivery. Prints one line of JSON, and fails if anything acknowledged was lost.
 *
 * node kill-loop.ts [--kills 100] [--ackedMin 20000] [--seed N] [--aliveMsMax 600] [--acknowledgeFirst]
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { check, isBroken, isQuiet, type Report } from "./checker.ts";
import { readLedger } from "./ledger.ts";
import { freePort } from "../services/server.ts";
import { seeded } from "../support/random.ts";

export interface KillLoopOptions {
  readonly kills: number;
  /** Goes on, up to four times as many kills, until so many deliveries are acknowledged: machines differ. */
  readonly ackedMin: number;
  readonly seed: number;
  /** The receiver lives between 50 ms and this long. */
  readonly aliveMsMax: number;
  /** Runs the control instead: it acknowledges before the commit. */
  readonly acknowledgeFirst: boolean;
  /** Called after each kill. */
  readonly onKill?: (kills: number) => void;
}

export interface KillLoopReport extends Report {
  readonly kills: number;
  readonly seed: number;
  /** Longest time from the start of a receiver's process until it listened. */
  readonly restart_ms_max: number;
}

const quietMsMax = 60_000;

export async function killLoop(options: KillLoopOptions): Promise<KillLoopReport> {
  const { kills, ackedMin, seed, aliveMsMax, onKill } = options;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-torture-"));
  const paths = {
    ledger: join(directory, "ledger.jsonl"),
    database: join(directory, "inbox.sqlite"),
    effects: join(directory, "effects.jsonl"),
  };
  const port = await freePort();
  const random = seeded(seed);
  let restartMsMax = 0;
  const children: ChildProcess[] = [];

  async function startReceiver(): Promise<ChildProcess> {
    const began = performance.now();
    const args = ["--port", String(port), "--database", paths.database, "--effects", paths.effects];
    if (options.acknowledgeFirst) args.push("--acknowledgeFirst");
    const receiver = run("receiver.ts", args);
    children.push(receiver);
    await Promise.race([once(receiver.stdout as NodeJS.ReadableStream, "data"), ended(receiver)]);
    restartMsMax = Math.max(restartMsMax, performance.now() - began);
    return receiver;
  }

  try {
    let receiver = await startReceiver();
    const sender = run("sender.ts", [
      "--port",
      String(port),
      "--ledger",
      paths.ledger,
      "--seed",
      String(seed),
    ]);
    children.push(sender);
    let kill = 0;
    while (kill < kills || (kill < kills * 4 && ackedIn(paths.ledger) < ackedMin)) {
      kill += 1;
      await pause(50 + random() * (aliveMsMax - 50));
      receiver.kill("SIGKILL");
      await once(receiver, "exit");
      receiver = await startReceiver();
      onKill?.(kill);
    }
    sender.kill("SIGTERM");
    await once(sender, "exit");
    await quiet(paths.database);
    receiver.kill("SIGKILL");
    await once(receiver, "exit");
    return { ...check(paths), kills: kill, seed, restart_ms_max: Math.round(restartMsMax) };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

function ackedIn(ledger: string): number {
  return readLedger(ledger).filter(({ status }) => status === 200).length;
}

function run(file: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function ended(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, "exit")) as [number | null];
  throw new Error(`a process of the kill loop ended by itself with code ${code}`);
}

/** Waits until everything in the database is done or dead, or too long. */
async function quiet(database: string): Promise<void> {
  const deadline = Date.now() + quietMsMax;
  while (!isQuiet(database) && Date.now() < deadline) await pause(100);
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "100" },
      ackedMin: { type: "string", default: "20000" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      aliveMsMax: { type: "string", default: "600" },
      acknowledgeFirst: { type: "boolean", default: false },
    },
  });
  const report = await killLoop({
    kills: Number(values.kills),
    ackedMin: Number(values.ackedMin),
    seed: Number(values.seed),
    aliveMsMax: Number(values.aliveMsMax),
    acknowledgeFirst: values.acknowledgeFirst,
    onKill: (kill) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${kill} of ${values.kills} kills `);
    },
  });
  console.log(JSON.stringify(report));
  process.exitCode = isBroken(report) ? 1 : 0;
}
