/** `pnpm bench ack`: deliveries answered per second, each store against bare Express and its peers (P2 to P5). */

import { median, roundsOf, type Measured } from "./rounds.ts";
import type { Places } from "./subjects.ts";
import { table } from "./table.ts";

const floor = "express";
const names = [
  floor,
  "memory",
  "sqlite",
  "sqlite, ack only",
  "node:sqlite INSERT",
  "postgres",
  "postgres, ack only",
  "pg INSERT",
  "pg-boss send",
  "graphile addJob",
  "redis",
  "bullmq add",
] as const;

/** Which ratios are to be reached, and what. */
const targets = [
  { id: "P2", of: "sqlite", to: floor, atLeast: 0.3 },
  { id: "P3", of: "sqlite", to: "node:sqlite INSERT", atLeast: 4 },
  { id: "P4", of: "postgres", to: floor, atLeast: 0.3 },
  { id: "P4", of: "postgres", to: "pg INSERT", atLeast: 2 },
  { id: "P4", of: "postgres", to: "pg-boss send", atLeast: 10 },
  { id: "P4", of: "postgres", to: "graphile addJob", atLeast: 8 },
  { id: "P5", of: "redis", to: floor, atLeast: 0.42 },
  { id: "P5", of: "redis", to: "bullmq add", atLeast: 1.5 },
  { id: "P13", of: "sqlite", to: "sqlite, ack only", atLeast: 0.75 },
  { id: "P13", of: "postgres", to: "postgres, ack only", atLeast: 0.85 },
] as const;

export interface AckOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Only these subjects, and bare Express. */
  readonly only: readonly string[];
}

export async function ack(places: Places, { rounds, seconds, only }: AckOptions): Promise<string> {
  const chosen = only.length === 0 ? [...names] : [floor, ...only];
  const connections = 64;
  const found = await roundsOf({
    names: chosen,
    rounds,
    connections,
    warmUpMs: 1000,
    countedMs: seconds * 1000,
    places,
  });
  const of = (name: string, read: (one: Measured) => number): number =>
    median((found.get(name) ?? []).map(read));
  const ratio = (one: string, other: string): number => {
    const [a = [], b = []] = [found.get(one), found.get(other)];
    return median(a.map(({ perSecond }, round) => perSecond / (b[round]?.perSecond ?? NaN)));
  };
  const rows = chosen.map((name) => [
    name,
    Math.round(of(name, ({ perSecond }) => perSecond)).toLocaleString("en"),
    ratio(name, floor).toFixed(2),
    of(name, ({ p50Ms }) => p50Ms).toFixed(1),
    of(name, ({ p99Ms }) => p99Ms).toFixed(1),
    of(name, ({ cpuMicrosecondsEach }) => cpuMicrosecondsEach).toFixed(0),
    String((found.get(name) ?? []).reduce((sum, { refused }) => sum + refused, 0)),
  ]);
  const heads = ["subject", "answers/s", "× Express", "p50 ms", "p99 ms", "CPU µs each", "refused"];
  const reached = targets
    .filter(({ of: one, to }) => chosen.includes(one) && chosen.includes(to))
    .map(({ id, of: one, to, atLeast }) => {
      const is = ratio(one, to);
      return [id, `${one} ÷ ${to}`, is.toFixed(2), `≥ ${atLeast}`, is >= atLeast ? "yes" : "no"];
    });
  return [
    `${connections} connections, ${rounds} interleaved rounds of ${seconds} s, medians; ratios are medians of the rounds' ratios.`,
    table(heads, rows),
    table(["target", "ratio", "measured", "reach", "reached"], reached),
  ].join("\n\n");
}
