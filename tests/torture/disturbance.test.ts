import { expect, test } from "vitest";
import { disturbanceRun } from "./disturbance.ts";

// Its figures are for a quiet machine: `pnpm disturbance`. Here it only has to run, and to answer everything.
test("during a mass replay and while the spill drains, every delivery is answered 200", async () => {
  const options = { dead: 1000, spilled: 100, rounds: 1, roundMs: 1000, perSecond: 100 };
  const report = await disturbanceRun("", { ...options, replayPerSecond: 100 });
  console.log(JSON.stringify(report));
  expect(report).toMatchObject({ refused: 0 });
  expect(report.replayed).toBeGreaterThan(0);
  expect(report.drained).toBeGreaterThanOrEqual(200);
});
