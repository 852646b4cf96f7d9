/** `pnpm bench wake-ups`: from the answer to a delivery until its handler begins, in the same instance and in another one (P10). */

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { dropSchema, removeKeys } from "./cleanup.ts";
import type { Report, Reached } from "./report.ts";
import { median, quantileOf } from "./rounds.ts";
import { directory, type Places } from "./subjects/subject.ts";
import type { Instance, Noted } from "./wake-ups-process.ts";

interface Way {
  readonly store: Instance["store"];
  readonly isOther: boolean;
  /** Undefined where nobody is woken up, and whoever works looks once a second. */
  readonly atMostMs: number | undefined;
}

const ways: Readonly<Record<string, Way>> = {
  "sqlite, same instance": { store: "sqlite", isOther: false, atMostMs: 1 },
  "postgres, same instance": { store: "postgres", isOther: false, atMostMs: 1 },
  "redis, same instance": { store: "redis", isOther: false, atMostMs: 1 },
  "postgres, another instance": { store: "postgres", isOther: true, atMostMs: 10 },
  "redis, another instance": { store: "redis", isOther: true, atMostMs: 10 },
  "sqlite, another instance, looks each second": {
    store: "sqlite",
    isOther: true,
    atMostMs: undefined,
  },
};

const everyMs = 10;
const warmUp = 100;

export interface WakeUpsOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
}

export async function wakeUps(
  places: Places,
  { rounds, seconds, only }: WakeUpsOptions,
): Promise<Report> {
  const names = Object.keys(ways).filter((name) => only.length === 0 || only.includes(name));
  const found = new Map<string, { p50: number; p99: number }[]>(names.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const way = ways[name];
      if (way === undefined) continue;
      const latencies = await latenciesOf(way, places, (seconds * 1000) / everyMs);
      const one = { p50: quantileOf(latencies, 0.5), p99: quantileOf(latencies, 0.99) };
      found.get(name)?.push(one);
      process.stderr.write(`round ${round}/${rounds} ${name}: p99 ${one.p99.toFixed(2)} ms\n`);
    }
  }
  const middle = (name: string, which: "p50" | "p99"): number =>
    median((found.get(name) ?? []).map((one) => one[which]));
  return {
    name: "wake-ups",
    how: `A delivery every ${everyMs} ms, from its answer to the beginning of its handler, ${rounds} interleaved rounds of ${seconds} s, medians of the rounds' quantiles, in milliseconds. Below 0: the handler began before its answer had left.`,
    heads: ["way", "p50", "p99"],
    rows: names.map((name) => [
      name,
      middle(name, "p50").toFixed(2),
      middle(name, "p99").toFixed(2),
    ]),
    reached: names.flatMap((name): readonly Reached[] => {
      const atMost = ways[name]?.atMostMs;
      if (atMost === undefined) return [];
      const ratios = (found.get(name) ?? []).map(({ p99 }) => p99);
      const measured = median(ratios);
      const given = { id: "P10", of: `p99 of ${name}`, to: "1 ms", atMost };
      return [{ ...given, ratios, measured, isReached: measured <= atMost }];
    }),
    figures: Object.fromEntries(found),
  };
}

let runs = 0;

async function latenciesOf(
  { store, isOther }: Way,
  { postgresUrl, redisUrl }: Places,
  count: number,
): Promise<readonly number[]> {
  const name = `wake_${process.pid}_${++runs}`;
  const { file, remove } = directory();
  const place = { sqlite: file, postgres: postgresUrl, redis: redisUrl }[store];
  const roles: readonly Instance["role"][] = isOther ? ["receive", "work"] : ["both"];
  const children: ChildProcess[] = [];
  const told = async (child: ChildProcess): Promise<unknown> =>
    ((await once(child, "message")) as unknown[])[0];
  try {
    const ports: number[] = [];
    for (const role of roles) {
      const given: Instance = { role, store, place, name };
      const child = fork(new URL("./wake-ups-process.ts", import.meta.url), [
        JSON.stringify(given),
      ]);
      children.push(child);
      ports.push((await told(child)) as number);
    }
    const ids: string[] = [];
    for (let n = 0; n < warmUp + count; n++) {
      const id = `${name}-${n}`;
      const body = JSON.stringify({ webhookCallId: id, event: "Listener.updated", data: {} });
      const headers = { "content-type": "application/json", "x-id": id };
      const url = `http://127.0.0.1:${ports[0]}/webhooks/audata/token`;
      const { status } = await fetch(url, { method: "POST", headers, body });
      if (status !== 200) throw new Error(`${id} was answered ${status}`);
      if (n >= warmUp) ids.push(id);
      await pause(everyMs);
    }
    const deadline = performance.now() + 10_000;
    for (;;) {
      const noted: Noted[] = [];
      for (const child of children) {
        child.send("noted");
        noted.push((await told(child)) as Noted);
      }
      const [answered, begun] = [noted[0]?.answered ?? {}, noted.at(-1)?.begun ?? {}];
      if (ids.every((id) => begun[id] !== undefined)) {
        return ids.map((id) => (begun[id] ?? NaN) - (answered[id] ?? NaN));
      }
      if (performance.now() > deadline) throw new Error("some were never handled");
      await pause(100);
    }
  } finally {
    for (const child of children) {
      child.send("end");
      await once(child, "exit");
    }
    await remove();
    if (store === "postgres") await dropSchema(postgresUrl, name);
    const client = new Redis(redisUrl);
    await removeKeys(client, `{${name}}*`);
  }
}
