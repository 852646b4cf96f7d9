/** `pnpm bench latency`: how long answers take while 1,000 deliveries come in each second, whatever the answers do (P6). */

import { ratiosOf, reachedOf, spread, type Report, type Target } from "./report.ts";
import { median, roundsOf } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";

const floor = "express";
const names = [
  floor,
  "sqlite",
  "node:sqlite INSERT",
  "postgres",
  "pg INSERT",
  "pg-boss send",
  "redis",
  "bullmq add",
];
const targets: readonly Target[] = [
  { id: "P6", of: "sqlite", to: floor, atMost: 3.5 },
  { id: "P6", of: "postgres", to: floor, atMost: 4.5 },
  { id: "P6", of: "redis", to: floor, atMost: 4.2 },
];
const perSecond = 1000;

export interface LatencyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
}

export async function latency(
  places: Places,
  { rounds, seconds, only }: LatencyOptions,
): Promise<Report> {
  const chosen = only.length === 0 ? names : [...new Set([floor, ...only])];
  const found = await roundsOf({
    names: chosen,
    rounds,
    connections: 64,
    warmUpMs: 3000,
    countedMs: seconds * 1000,
    perSecond,
    places,
  });
  const p99sOf = (name: string): readonly number[] | undefined =>
    found.get(name)?.map(({ p99Ms }) => p99Ms);
  const rows = chosen.map((name) => {
    const measured = found.get(name) ?? [];
    return [
      name,
      median(measured.map(({ p50Ms }) => p50Ms)).toFixed(2),
      median(p99sOf(name) ?? []).toFixed(2),
      spread(ratiosOf(p99sOf(name) ?? [], p99sOf(floor) ?? [])),
      String(measured.reduce((sum, { refused }) => sum + refused, 0)),
    ];
  });
  return {
    name: "latency",
    how: `${perSecond.toLocaleString("en")} deliveries each second, sent when it is time, ${rounds} interleaved rounds of ${seconds} s, medians; times are from when a delivery was due.`,
    heads: ["subject", "p50 ms", "p99 ms", "p99 × Express", "refused"],
    rows,
    reached: reachedOf(targets, p99sOf),
    figures: Object.fromEntries(found),
  };
}
