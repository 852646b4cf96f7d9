/**
 * The order run: senders send events of some keys, each the next one when the one before is acknowledged, to whichever of
 * several processes; these share a store, and are killed at random moments. Then every attempt is held against the order in
 * which the events were acknowledged: none may begin before the one before it has ended.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { started } from "./children.ts";
import { freePort } from "../services/server.ts";
import { seeded } from "../support/random.ts";

export interface OrderOptions {
  readonly keys: number;
  /** Of each key. */
  readonly events: number;
  readonly processes: number;
  readonly kills: number;
  readonly seed: number;
  /** Runs the control instead: without `orderBy`. */
  readonly unordered?: boolean;
}

export interface OrderReport {
  readonly acked: number;
  readonly kills: number;
  readonly attempts: number;
  /** Attempts of an event that began before the one before it was over, or after a later one. */
  readonly inversions: number;
  /** Attempts that began while another of their key went on, in a process that was alive. */
  readonly overlaps: number;
  /** Events that were acknowledged, and of which no attempt has ended. */
  readonly lost: number;
  readonly ms: number;
  readonly seed: number;
}

export const broken = ({ inversions, overlaps, lost }: OrderReport): boolean =>
  inversions + overlaps + lost > 0;

interface Line {
  /** `died` is said of a process, once it is dead. */
  readonly what: "begins" | "ends" | "died";
  /** The key, a slash, and the number of the event. */
  readonly id: string;
  readonly pid: number;
}

interface Receiver {
  readonly port: number;
  process: ChildProcess;
}

const endMsMax = 120_000;

export async function orderRun(
  storeUrl: string,
  { keys, events, processes, kills, seed, unordered = false }: OrderOptions,
): Promise<OrderReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-order-"));
  const attempts = join(directory, "attempts.jsonl");
  const store = storeUrl === "" ? join(directory, "inbox.sqlite") : storeUrl;
  const random = seeded(seed);
  const began = performance.now();
  const receivers: Receiver[] = [];
  const ending = new AbortController();

  const start = (port: number): Promise<ChildProcess> =>
    started("order-receiver.ts", { port, store, attempts, unordered });

  async function send(key: number): Promise<void> {
    for (let number = 0; number < events; number++) {
      const body = JSON.stringify({ id: `${key}/${number}` });
      while (!ending.signal.aborted && !(await isAcknowledged(receivers, random, body))) {
        await pause(20);
      }
    }
  }

  try {
    for (let n = 0; n < processes; n++) {
      const port = await freePort();
      receivers.push({ port, process: await start(port) });
    }
    const sending = Promise.all(Array.from({ length: keys }, (_, key) => send(key)));
    for (let kill = 0; kill < kills; kill++) {
      await pause(100 + random() * 900);
      const receiver = oneOf(receivers, random);
      const pid = receiver.process.pid ?? 0;
      receiver.process.kill("SIGKILL");
      await once(receiver.process, "exit");
      appendFileSync(attempts, `${JSON.stringify({ what: "died", id: "", pid })}\n`);
      receiver.process = await start(receiver.port);
    }
    await sending;
    const acked = keys * events;
    const until = Date.now() + endMsMax;
    while (endedIn(linesOf(attempts)).size < acked && Date.now() < until) await pause(100);
    return {
      ...judged(linesOf(attempts), acked),
      kills,
      ms: Math.round(performance.now() - began),
      seed,
    };
  } finally {
    ending.abort();
    for (const receiver of receivers) receiver.process.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

async function isAcknowledged(
  receivers: readonly Receiver[],
  random: () => number,
  body: string,
): Promise<boolean> {
  const { port } = oneOf(receivers, random);
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/webhooks/ordered/t`, {
      method: "POST",
      body,
    });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    // It is dead at the moment.
    return false;
  }
}

const oneOf = <T>(list: readonly T[], random: () => number): T =>
  list.at(random() * list.length) as T;

const linesOf = (file: string): readonly Line[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);

const endedIn = (lines: readonly Line[]): ReadonlySet<string> =>
  new Set(lines.filter(({ what }) => what === "ends").map(({ id }) => id));

export function judged(
  lines: readonly Line[],
  acked: number,
): Pick<OrderReport, "acked" | "attempts" | "inversions" | "overlaps" | "lost"> {
  const sum = { attempts: 0, inversions: 0, overlaps: 0 };
  /** By key: what goes on, and the last event that has ended. */
  const going = new Map<string, Line>();
  const last = new Map<string, number>();
  const dead = new Set<number>();
  for (const line of lines) {
    if (line.what === "died") {
      dead.add(line.pid);
      continue;
    }
    const [key = "", number] = line.id.split("/");
    if (line.what === "ends") {
      going.delete(key);
      last.set(key, Number(number));
      continue;
    }
    sum.attempts += 1;
    const other = going.get(key);
    if (other !== undefined && !dead.has(other.pid)) sum.overlaps += 1;
    const ended = last.get(key) ?? -1;
    // The next one, or once more the last one, which has failed or whose end was not written.
    const isInOrder = Number(number) === ended + 1 || Number(number) === ended;
    if (!isInOrder) sum.inversions += 1;
    going.set(key, line);
  }
  return { acked, ...sum, lost: acked - endedIn(lines).size };
}
