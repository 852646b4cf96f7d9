/** Measures subjects in turn, again and again, so that whatever disturbs the machine disturbs all of them alike. */

import { fork, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { LoadAsk, LoadResult } from "./load.ts";
import type { Told } from "./subject.ts";
import type { Counts, Places } from "./subjects/subject.ts";

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the subject's process alone. */
  readonly cpuMicrosecondsEach: number;
  readonly refused: number;
  /** What was answered 200 in all, and what became of it; undefined where nothing is kept. */
  readonly taken: number;
  readonly counts: Counts | undefined;
}

export interface RoundsAsk {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly countedMs: number;
  /** At a fixed rate; undefined: as fast as answers come. */
  readonly perSecond?: number;
  /** Of how many deliveries to a subject one is a copy; undefined: none. */
  readonly copyEvery?: (name: string) => number | undefined;
  readonly places: Places;
  /** What runs subjects, if it is not this very Node. */
  readonly execPath?: string;
}

/** The subject gets one core and the load another one, where there are two and a way to say so. */
const canPin = availableParallelism() > 1 && spawnSync("taskset", ["-V"]).status === 0;

/** A process of a module beside this one, on that core. */
export function started(
  module: string,
  given: readonly string[],
  core: number,
  execArgv: readonly string[] = [],
  execPath: string = process.execPath,
): ChildProcess {
  const child = fork(new URL(module, import.meta.url), given, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [...execArgv],
    execPath,
  });
  if (canPin) spawnSync("taskset", ["-a", "-p", "-c", String(core), String(child.pid)]);
  return child;
}

/** The next message of a process; rejects when it ends instead. */
export function told<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("a subject has died"));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message as T);
    });
  });
}

export type Kind<K extends Told["kind"]> = Extract<Told, { kind: K }>;

export function asked<K extends Told["kind"]>(subject: ChildProcess, word: K): Promise<Kind<K>> {
  const answer = told<Kind<K>>(subject);
  subject.send(word);
  return answer;
}

/**
 * Measurements of each subject, one for each round. Throws where something that was answered 200 is not there, or was not
 * handled: what drops its work is fast.
 */
export async function roundsOf(ask: RoundsAsk): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const { names, rounds } = ask;
  const loader = started("./load.ts", [], 1);
  const found = new Map<string, Measured[]>(names.map((name) => [name, []]));
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const name of names) {
        const one = await measured(name, loader, ask);
        found.get(name)?.push(one);
        process.stderr.write(
          `round ${round}/${rounds} ${name}: ${Math.round(one.perSecond)}/s, p99 ${one.p99Ms.toFixed(1)} ms\n`,
        );
      }
    }
  } finally {
    loader.kill();
  }
  return found;
}

/** Each time in a new process: what one round has stored does not slow down the next. */
async function measured(name: string, loader: ChildProcess, ask: RoundsAsk): Promise<Measured> {
  const { connections, warmUpMs, countedMs, perSecond, places } = ask;
  const subject = started("./subject.ts", [name, JSON.stringify(places)], 0, [], ask.execPath);
  const { port, shape } = await told<Kind<"ready">>(subject);
  const before = await asked(subject, "cpu");
  const loading = told<LoadResult>(loader);
  const copyEvery = ask.copyEvery?.(name);
  const how: LoadAsk = { port, shape, connections, warmUpMs, countedMs, perSecond, copyEvery };
  loader.send(how);
  const result = await loading;
  const after = await asked(subject, "cpu");
  const { counts } = await asked(subject, "counts");
  const ended = once(subject, "exit");
  subject.send("end");
  await ended;
  const { taken, events, answered } = result;
  if (counts !== undefined && (counts.kept !== events || (counts.handled ?? events) !== events)) {
    throw new Error(
      `${name}: ${events} events were answered 200, ${counts.kept} are kept, ${counts.handled ?? "none"} were handled`,
    );
  }
  return {
    perSecond: answered / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuMicrosecondsEach: (after.microseconds - before.microseconds) / Math.max(1, taken),
    refused: result.refused,
    taken,
    counts,
  };
}

export const median = (values: readonly number[]): number => quantileOf(values, 0.5);

export function quantileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share + 0.5)] ?? NaN;
}
