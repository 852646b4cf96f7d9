/**
 * Runs the simulation over many seeds, prints which transitions were walked, and fails if an invariant was broken.
 *
 * node simulation.ts [--seeds 20000] [--first 1] [--flaw "unfenced settle"] [--json]
 */

import { parseArgs } from "node:util";
import { transitions } from "@webhook-inbox/core";
import { flaws, type Flaw } from "./network.ts";
import { simulate, type Run } from "./simulate.ts";
import { nameOf } from "./world.ts";

export interface Report {
  readonly seeds: number;
  /** The first runs that broke an invariant. */
  readonly broken: readonly Broken[];
  /** How many runs walked each transition. */
  readonly coverage: Readonly<Record<string, number>>;
}

type Broken = Pick<Run, "seed" | "violations">;

const brokenMax = 5;

/** Goes on until `seeds` are done, or some have broken an invariant. */
export async function simulateAll(
  first: number,
  seeds: number,
  flaw?: Flaw,
  onSeed: (done: number) => void = () => undefined,
): Promise<Report> {
  const coverage: Record<string, number> = {};
  for (const one of transitions) coverage[nameOf(one)] = 0;
  const broken: Broken[] = [];
  let done = 0;
  for (; done < seeds && broken.length < (flaw === undefined ? brokenMax : 1); done++) {
    const { seed, violations, walked } = await simulate(first + done, flaw);
    if (violations.length > 0) broken.push({ seed, violations });
    for (const way of walked) coverage[way] = (coverage[way] ?? 0) + 1;
    onSeed(done + 1);
  }
  return { seeds: done, broken, coverage };
}

/** The report as people read it. */
export function textOf({ seeds, broken, coverage }: Report): string {
  const counts = Object.entries(coverage);
  const walked = counts.filter(([, count]) => count > 0).length;
  const ways = counts.map(([way, count]) => `  ${String(count).padStart(7)}  ${way}`);
  const faults = broken.map(({ seed, violations }) => `seed ${seed}: ${violations.join("; ")}`);
  return [
    `${seeds} seeds, ${walked} of ${counts.length} transitions walked; runs that walked each:`,
    ...ways,
    ...faults,
  ].join("\n");
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "20000" },
      first: { type: "string", default: "1" },
      flaw: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const flaw = flaws.find((one) => one === values.flaw);
  if (values.flaw !== undefined && flaw === undefined) {
    throw new Error(`there is no flaw "${values.flaw}". Flaws: ${flaws.join(", ")}.`);
  }
  const report = await simulateAll(Number(values.first), Number(values.seeds), flaw, (done) => {
    if (process.stderr.isTTY && done % 100 === 0) process.stderr.write(`\r${done} seeds `);
  });
  const text = values.json ? JSON.stringify(report) : textOf(report);
  // What an instance had begun when it was killed is never answered, and a replay keeps its process until it is.
  process.stdout.write(`${text}\n`, () => process.exit(report.broken.length > 0 ? 1 : 0));
}
