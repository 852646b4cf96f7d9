/** What the overview draws: the ledger, in steps of time. */

import type { Tally } from "@webhook-inbox/core";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export type RangeName = "1h" | "24h" | "7d";

/** A length of time to look back, in steps. */
export interface Range {
  readonly label: string;
  readonly ms: number;
  readonly stepMs: number;
  readonly step: string;
}

const quarter = "quarter of an hour";

export const ranges: Readonly<Record<RangeName, Range>> = {
  "1h": { label: "hour", ms: hourMs, stepMs: minuteMs, step: "minute" },
  "24h": { label: "24 hours", ms: 24 * hourMs, stepMs: 15 * minuteMs, step: quarter },
  "7d": { label: "7 days", ms: 7 * 24 * hourMs, stepMs: 2 * hourMs, step: "two hours" },
};

export const isRange = (name: string): name is RangeName => name in ranges;

export interface Series {
  readonly name: "came in" | "done" | "failed" | "refused";
  readonly values: readonly number[];
  readonly sum: number;
}

/** The first instant of a range that ends now, at the beginning of a step. */
export function startOf({ ms, stepMs }: Range, now: number): number {
  return now - (now % stepMs) - ms + stepMs;
}

const kinds: readonly (readonly [Series["name"], (tally: Tally) => boolean])[] = [
  [
    "came in",
    ({ from, to }) => from === undefined && !["refused", "duplicate", "conflict"].includes(to),
  ],
  ["done", ({ to }) => to === "done"],
  ["failed", ({ to }) => to === "dead" || to === "quarantined"],
  ["refused", ({ from, to }) => from === undefined && to === "refused"],
];

export function seriesOf(tallies: readonly Tally[], range: Range, from: number): readonly Series[] {
  const steps = Math.round(range.ms / range.stepMs);
  return kinds.map(([name, isOf]) => {
    const values = Array.from({ length: steps }, () => 0);
    for (const tally of tallies) {
      const step = Math.floor((tally.at - from) / range.stepMs);
      if (isOf(tally) && step >= 0 && step < steps)
        values[step] = (values[step] ?? 0) + tally.count;
    }
    return { name, values, sum: values.reduce((sum, value) => sum + value, 0) };
  });
}
