/** Measures subjects in turn, again and again, so that whatever disturbs the machine disturbs all of them alike. */

import { fork, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { LoadAsk, LoadResult } from "./load.ts";
import type { Told } from "./subject.ts";
import type { Places } from "./subjects.ts";

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the subject's process alone. */
  readonly cpuMicrosecondsEach: number;
  readonly refused: number;
}

export interface RoundsAsk {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly countedMs: number;
  readonly places: Places;
}

/** The subject gets one core and the load another one, where there are two and a way to say so. */
const canPin = availableParallelism() > 1 && spawnSync("taskset", ["-V"]).status === 0;

function start(module: string, given: readonly string[], core: number): ChildProcess {
  const child = fork(new URL(module, import.meta.url), given, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  if (canPin) spawnSync("taskset", ["-a", "-p", "-c", String(core), String(child.pid)]);
  return child;
}

/** The next message of a process; rejects when it ends instead. */
function told<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("a subject has died"));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message as T);
    });
  });
}

/** Measurements of each subject, one for each round. */
export async function roundsOf(ask: RoundsAsk): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const { names, rounds, connections, warmUpMs, countedMs, places } = ask;
  const loader = start("./load.ts", [], 1);
  const found = new Map<string, Measured[]>(names.map((name) => [name, []]));
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const name of names) {
        // Each time anew: what one round has stored does not slow down the next.
        const subject = start("./subject.ts", [name, JSON.stringify(places)], 0);
        const ready = await told<Extract<Told, { kind: "ready" }>>(subject);
        subject.send("cpu");
        const before = await told<Extract<Told, { kind: "cpu" }>>(subject);
        const { port, path } = ready;
        loader.send({ port, path, connections, warmUpMs, countedMs } satisfies LoadAsk);
        const result = await told<LoadResult>(loader);
        subject.send("cpu");
        const after = await told<Extract<Told, { kind: "cpu" }>>(subject);
        const share = countedMs / (warmUpMs + countedMs);
        found.get(name)?.push({
          perSecond: result.answered / result.seconds,
          p50Ms: result.p50Ms,
          p99Ms: result.p99Ms,
          cpuMicrosecondsEach:
            ((after.microseconds - before.microseconds) * share) / Math.max(1, result.answered),
          refused: result.refused,
        });
        subject.send("end");
        await once(subject, "exit");
        process.stderr.write(
          `round ${round}/${rounds} ${name}: ${Math.round(result.answered / result.seconds)}/s\n`,
        );
      }
    }
  } finally {
    loader.kill();
  }
  return found;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
