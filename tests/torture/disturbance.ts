/**
 * The disturbance run: live traffic at a fixed rate, by turns alone, beside a mass replay of dead events, and beside the
 * spill as it drains.
 */

import { fork, type ChildProcess } from "node:child_process";
import { on } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@webhook-inbox/core";
import { newEvent } from "../support/new-event.ts";
import { bodyOf } from "./body.ts";
import type { Told } from "./disturbance-receiver.ts";
import { askAtRate, quantile, rounded, type Rate } from "./rate.ts";
import { storeAt } from "./stores.ts";

export interface DisturbanceOptions extends Rate {
  readonly dead: number;
  readonly spilled: number;
  readonly rounds: number;
  readonly replayPerSecond: number;
}

export interface DisturbanceReport extends DisturbanceOptions {
  readonly refused: number;
  /** Handlers of replayed events that have run, and deliveries that have drained. */
  readonly replayed: number;
  readonly drained: number;
  /** The middle one of all rounds. */
  readonly alone_p99_ms: number;
  readonly replay_p99_ms: number;
  readonly drain_p99_ms: number;
  readonly replay_ratio: number;
  readonly drain_ratio: number;
}

const ratioMax = 1.5;
const heardMsMax = 60_000;
const batch = 500;

/** At a place of `places`. */
export async function disturbanceRun(
  place: string,
  options: DisturbanceOptions,
): Promise<DisturbanceReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-disturbance-"));
  const url = place || join(directory, "inbox.sqlite");
  await bury(url, options.dead);
  const program = join(import.meta.dirname, "disturbance-receiver.ts");
  const child = fork(program, ["--store", url, "--spill", join(directory, "spill.sqlite")]);
  try {
    const { port } = await heard(child, "port");
    let replayed = 0;
    let drained = 0;
    child.on("message", (message: Record<string, number>) => {
      drained += message["drained"] ?? 0;
    });
    let refused = 0;
    const p99s = { alone: [] as number[], replay: [] as number[], drain: [] as number[] };
    const measure = async (of: keyof typeof p99s, round: number): Promise<void> => {
      const { times, refused: more } = await askAtRate(port, round, options);
      refused += more;
      // The first round warms up.
      if (round >= Object.keys(p99s).length) p99s[of].push(quantile(times, 0.99));
    };
    for (let round = 0; round <= options.rounds; round++) {
      await measure("alone", 3 * round);
      const isReplayed = heard(child, "replayed");
      tell(child, { say: "replay", perSecond: options.replayPerSecond });
      await measure("replay", 3 * round + 1);
      tell(child, { say: "stop" });
      ({ replayed } = await isReplayed);
      const [isSpilled, isDrained] = [heard(child, "spilled"), heard(child, "drained")];
      tell(child, { say: "spill", count: options.spilled });
      await isSpilled;
      await measure("drain", 3 * round + 2);
      await isDrained;
    }
    const [alone, replay, drain] = [p99s.alone, p99s.replay, p99s.drain].map((times) =>
      quantile(times, 0.5),
    ) as [number, number, number];
    return {
      ...options,
      refused,
      replayed,
      drained,
      alone_p99_ms: alone,
      replay_p99_ms: replay,
      drain_p99_ms: drain,
      replay_ratio: rounded(replay / alone),
      drain_ratio: rounded(drain / alone),
    };
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

const tell = (child: ChildProcess, told: Told): boolean => child.send(told);

/** The next message that holds a number under this name. */
async function heard<Name extends string>(
  child: ChildProcess,
  name: Name,
): Promise<Record<Name, number>> {
  const signal = AbortSignal.timeout(heardMsMax);
  for await (const [message] of on(child, "message", { signal })) {
    if (name in (message as object)) return message as Record<Name, number>;
  }
  throw new Error("the receiver said nothing");
}

/** Puts dead events of the slow source into a store. */
async function bury(url: string, count: number): Promise<void> {
  const { store, end } = storeAt(url);
  await store.open({ clock: systemClock });
  for (let first = 0; first < count; first += batch) {
    const size = Math.min(batch, count - first);
    const events = Array.from({ length: size }, (_, n) => {
      const id = `dead-${first + n}`;
      return newEvent("slow", id, "Listener.updated", bodyOf(id));
    });
    const fence = `bury/${first}`;
    await store.take(events, { fence, leaseMs: 60_000, slots: { slow: size } });
    await store.settle(
      events.map(({ key }) => ({
        key,
        fence,
        outcome: { state: "dead", reason: "exhausted" },
        finished: [],
        gaveUp: [],
        history: [],
      })),
    );
  }
  await store.close();
  await end();
}

/** Whether live answers took too long, or were refusals. */
export function broken({ replay_ratio, drain_ratio, refused }: DisturbanceReport): boolean {
  return replay_ratio > ratioMax || drain_ratio > ratioMax || refused > 0;
}
