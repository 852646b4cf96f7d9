import { expect, test } from "vitest";
import { isBroken } from "./checker.ts";
import { killLoop } from "./kill-loop.ts";

const seed = 20_261_122;

test("100 kills under load lose nothing that was acknowledged", async () => {
  const report = await killLoop({
    kills: 100,
    ackedMin: 20_000,
    seed,
    aliveMsMax: 500,
    acknowledgeFirst: false,
  });
  console.log(JSON.stringify(report));
  expect(report.acked).toBeGreaterThanOrEqual(20_000);
  expect(report.refused_authentic).toBe(0);
  expect({ ...report, isBroken: isBroken(report) }).toMatchObject({ lost: 0, isBroken: false });
});

test("the control, which acknowledges before the commit, is caught losing", async () => {
  const report = await killLoop({
    kills: 10,
    ackedMin: 0,
    seed,
    aliveMsMax: 500,
    acknowledgeFirst: true,
  });
  console.log(JSON.stringify(report));
  expect(report.lost).toBeGreaterThan(0);
  expect(isBroken(report)).toBe(true);
});
