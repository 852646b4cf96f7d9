/** `pnpm bench ack`: deliveries answered per second, each store and framework against its floor and its peers (P1 to P5, P13). */

import { chartOf, ratiosOf, reachedOf, spread, type Report, type Target } from "./report.ts";
import { median, roundsOf, type Measured } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";
import { inboxes } from "./subjects/inboxes.ts";

const floor = "express";
const names = [
  floor,
  "express + express.json()",
  "HMAC by hand",
  "@octokit/webhooks",
  "express + memory",
  "express + memory, HMAC",
  "koa",
  "koa + memory",
  "koa + memory, HMAC",
  "fastify",
  "fastify + memory",
  "fastify + memory, HMAC",
  "sqlite",
  "sqlite, HMAC",
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

const frameworkTargets = ["express", "koa", "fastify"].flatMap((name): readonly Target[] => [
  { id: "P1", of: `${name} + memory`, to: name, atLeast: 0.8 },
  { id: "P1", of: `${name} + memory, HMAC`, to: name, atLeast: 0.7 },
]);

const targets: readonly Target[] = [
  ...frameworkTargets,
  { id: "P1", of: "express + memory, HMAC", to: "@octokit/webhooks", atLeast: 1.4 },
  { id: "P2", of: "sqlite", to: floor, atLeast: 0.3 },
  { id: "P2", of: "sqlite, HMAC", to: floor, atLeast: 0.3 },
  { id: "P3", of: "sqlite", to: "node:sqlite INSERT", atLeast: 4 },
  { id: "P4", of: "postgres", to: floor, atLeast: 0.3 },
  { id: "P4", of: "postgres", to: "pg INSERT", atLeast: 2 },
  { id: "P4", of: "postgres", to: "pg-boss send", atLeast: 10 },
  { id: "P4", of: "postgres", to: "graphile addJob", atLeast: 8 },
  { id: "P5", of: "redis", to: floor, atLeast: 0.42 },
  { id: "P5", of: "redis", to: "bullmq add", atLeast: 1.5 },
  { id: "P13", of: "sqlite", to: "sqlite, ack only", atLeast: 0.75 },
  { id: "P13", of: "postgres", to: "postgres, ack only", atLeast: 0.85 },
];

export interface AckOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Only these subjects, and bare Express. */
  readonly only: readonly string[];
}

const connections = 64;
const warmUpMs = 3000;

export async function ack(places: Places, { rounds, seconds, only }: AckOptions): Promise<Report> {
  const chosen = only.length === 0 ? [...names] : [...new Set([floor, ...only])];
  const countedMs = seconds * 1000;
  const found = await roundsOf({ names: chosen, rounds, connections, warmUpMs, countedMs, places });
  const values = (name: string, read: (one: Measured) => number): readonly number[] | undefined =>
    found.get(name)?.map(read);
  const speedsOf = (name: string): readonly number[] | undefined =>
    values(name, ({ perSecond }) => perSecond);
  const of = (name: string, read: (one: Measured) => number): number =>
    median(values(name, read) ?? []);
  const ratios = (name: string): readonly number[] =>
    ratiosOf(speedsOf(name) ?? [], speedsOf(floor) ?? []);
  const rows = chosen.map((name) => [
    name,
    Math.round(of(name, ({ perSecond }) => perSecond)).toLocaleString("en"),
    spread(ratios(name)),
    of(name, ({ p50Ms }) => p50Ms).toFixed(1),
    of(name, ({ p99Ms }) => p99Ms).toFixed(1),
    of(name, ({ cpuMicrosecondsEach }) => cpuMicrosecondsEach).toFixed(0),
    String((found.get(name) ?? []).reduce((sum, { refused }) => sum + refused, 0)),
  ]);
  const bars = chosen.map((name) => ({
    name,
    value: median(ratios(name)),
    isOurs: Object.hasOwn(inboxes, name),
  }));
  return {
    name: "ack",
    how: `${connections} connections, ${rounds} interleaved rounds of ${seconds} s after ${warmUpMs / 1000} s that are not counted, medians; ratios are medians of the rounds' ratios, with the quarters around them. Everything that was answered 200 was there afterwards, and was handled.`,
    heads: ["subject", "answers/s", "× Express", "p50 ms", "p99 ms", "CPU µs each", "refused"],
    rows,
    reached: reachedOf(targets, speedsOf),
    figures: Object.fromEntries(found),
    svg: chartOf("Deliveries answered per second, bare Express = 1", bars),
  };
}
