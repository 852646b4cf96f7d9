import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { flaws } from "./network.ts";
import { simulateAll, textOf, type Report } from "./simulation.ts";

const run = promisify(execFile);
const seeds = 20_000;
const processes = 2;

/** A share of the seeds, in a process of its own. */
async function simulated(first: number): Promise<Report> {
  const args = ["--json", "--first", String(first), "--seeds", String(seeds / processes)];
  const program = join(import.meta.dirname, "simulation.ts");
  const { stdout } = await run(process.execPath, [program, ...args]).catch(
    // A broken invariant ends it with 1, and is in what it says.
    (error: { readonly stdout: string }) => error,
  );
  return JSON.parse(stdout) as Report;
}

test("20,000 seeds break no invariant, and walk every transition", async () => {
  const firsts = Array.from({ length: processes }, (_, n) => 1 + (n * seeds) / processes);
  const reports = await Promise.all(firsts.map(simulated));
  const coverage: Record<string, number> = {};
  for (const report of reports) {
    for (const [way, count] of Object.entries(report.coverage)) {
      coverage[way] = (coverage[way] ?? 0) + count;
    }
  }
  const broken = reports.flatMap((report) => report.broken);
  const done = reports.reduce((sum, report) => sum + report.seeds, 0);
  console.log(textOf({ seeds: done, broken, coverage }));
  expect(broken).toEqual([]);
  expect(done).toBe(seeds);
  expect(Object.entries(coverage).filter(([, count]) => count === 0)).toEqual([]);
});

describe("a planted flaw is found", () => {
  const invariants = {
    "check-then-insert": "I2",
    "unfenced settle": "I3",
    "acknowledge before take": "I1",
  };
  for (const flaw of flaws) {
    test(flaw, async () => {
      const { broken } = await simulateAll(1, 500, flaw);
      expect(broken[0]?.violations.join()).toContain(invariants[flaw]);
    });
  }
});
