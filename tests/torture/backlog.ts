/**
 * The backlog run: two receivers on two files, one of them with a long backlog of another source, are asked in turn at the same
 * rate. Says what the backlog does to the time of an answer, to the time until a handler begins, and to memory.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock, type NewEvent } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { newEvent } from "../support/new-event.ts";
import { bodyOf } from "./body.ts";
import { ask, askAtRate, quantile, rounded } from "./rate.ts";

export interface BacklogOptions {
  readonly backlog: number;
  readonly rounds: number;
  readonly roundMs: number;
  readonly perSecond: number;
  /** How long a handler of the backlog takes. */
  readonly handlerMs: number;
  /** Whether each event of the backlog makes two further ones. */
  readonly feeds?: boolean;
}

export interface BacklogReport extends BacklogOptions {
  /** Deliveries asked of each receiver, and those that were not answered 200. */
  readonly asked: number;
  readonly refused: number;
  /** Deliveries whose handler had not begun ten seconds after the end of their round. */
  readonly unbegun: number;
  /** Whether some of the backlog still waited at the end of the last round. */
  readonly outlasted: boolean;
  readonly p50_ms: Pair;
  readonly p99_ms: Pair;
  readonly p99_ratio: number;
  /** From the receipt until the handler begins. */
  readonly start_p99_ms: Pair;
  readonly start_ratio: number;
  /** What is in use after a collection: what a busy process keeps in reserve has nothing to do with what waits. */
  readonly used_mib: Pair;
  readonly used_more_mib: number;
}

/** What one receiver did in one round. */
interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly startP99: number;
  readonly usedMib: number;
}

/** Without and with the backlog: the middle one of all rounds. */
interface Pair {
  readonly without: number;
  readonly with: number;
}

const batch = 1000;
const beginMsMax = 10_000;
const mebi = 1024 * 1024;

export async function backlogRun(options: BacklogOptions): Promise<BacklogReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-backlog-"));
  const children: ChildProcess[] = [];
  try {
    const started = [];
    for (const [name, events] of Object.entries({ without: 0, with: options.backlog })) {
      const database = join(directory, `${name}.sqlite`);
      await fill(database, events);
      const child = receiver(database, options);
      children.push(child);
      const [port] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
      started.push({
        port: Number(port.toString()),
        rounds: [] as Round[],
        refused: 0,
        unbegun: 0,
      });
    }
    const [without, withIt] = started;
    if (without === undefined || withIt === undefined) throw new Error("no receivers");
    for (let round = 0; round <= options.rounds; round++) {
      for (const one of started) {
        const { times, refused } = await askAtRate(one.port, round, options);
        const usedMib = rounded(Number(await told(one.port, "/bytes")) / mebi);
        const waited = await waitedOf(one.port, times.length);
        // The first round warms up.
        if (round === 0) continue;
        const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
        one.rounds.push({ p50, p99, startP99: quantile(waited, 0.99), usedMib });
        one.refused += refused;
        one.unbegun += times.length - waited.length;
      }
    }
    const outlasted = (await told(withIt.port, "/waiting")) !== "0";
    const middle = (of: keyof Round): Pair => ({
      without: quantile(
        without.rounds.map((round) => round[of]),
        0.5,
      ),
      with: quantile(
        withIt.rounds.map((round) => round[of]),
        0.5,
      ),
    });
    const [p99, start, used] = [middle("p99"), middle("startP99"), middle("usedMib")];
    return {
      ...options,
      asked: (options.rounds * options.roundMs * options.perSecond) / 1000,
      refused: without.refused + withIt.refused,
      unbegun: without.unbegun + withIt.unbegun,
      outlasted,
      p50_ms: middle("p50"),
      p99_ms: p99,
      p99_ratio: rounded(p99.with / p99.without),
      start_p99_ms: start,
      start_ratio: rounded(start.with / Math.max(1, start.without)),
      used_mib: used,
      used_more_mib: rounded(used.with - used.without),
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

/** Puts pending events of the slow source into a file. */
async function fill(database: string, count: number): Promise<void> {
  const store = sqlite(database);
  await store.open({ clock: systemClock });
  for (let first = 0; first < count; first += batch) {
    const events = Array.from({ length: Math.min(batch, count - first) }, (_, n) =>
      eventOf(first + n),
    );
    await store.take(events, { fence: `fill/${first}`, leaseMs: 1000, slots: {} });
  }
  await store.close();
}

function eventOf(number: number): NewEvent {
  const id = `backlog-${number}`;
  return newEvent("slow", id, "Listener.updated", bodyOf(id));
}

function receiver(database: string, { handlerMs, feeds = false }: BacklogOptions): ChildProcess {
  const program = join(import.meta.dirname, "backlog-receiver.ts");
  const args = ["--expose-gc", program, "--database", database, "--handlerMs", String(handlerMs)];
  if (feeds) args.push("--feeds");
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** How long the handlers of a round were waited for, once all of them have begun, or too long. */
async function waitedOf(port: number, count: number): Promise<readonly number[]> {
  const waited: number[] = [];
  const until = Date.now() + beginMsMax;
  for (;;) {
    waited.push(...(JSON.parse(await told(port, "/waited")) as readonly number[]));
    if (waited.length >= count || Date.now() > until) return waited;
    await pause(50);
  }
}

async function told(port: number, path: string): Promise<string> {
  const { text } = await ask(port, new Agent(), path);
  return text;
}
