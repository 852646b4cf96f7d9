/** The plan for many events a day: its day adds up, and the page on scaling says what it reckons. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assumptions, dayOf, planFor, shapeOf, type Costs } from "../../bench/plan.ts";
import { root } from "../architecture/sources.ts";

const costs: Costs = {
  both: 244,
  receive: 261,
  work: 49,
  serverBoth: 243,
  serverReceive: 195,
  serverWork: 61,
  logBytes: 2457,
  keptBytes: 1782,
};

test("a day has as many events as it has, however they come", () => {
  let sum = 0;
  for (let second = 0; second < 86_400; second++) sum += shapeOf(second, assumptions);
  expect(sum / 86_400).toBeCloseTo(1, 2);
  const { height, burst } = assumptions;
  expect(shapeOf(21_600, assumptions) / shapeOf(21_600 + 600, assumptions)).toBeCloseTo(burst, 1);
  expect(shapeOf(21_600 + 600, assumptions)).toBeGreaterThan(height * 0.9);
});

test.each([1e6, 1e7, 1e8, 1e9])(
  "a plan for %d events a day takes and handles them all",
  (count) => {
    const day = dayOf(planFor(count, costs, assumptions), costs, assumptions);
    expect(day.refused).toBe(0);
    expect(day.handled / count).toBeGreaterThan(0.99);
    expect(day.waitSecondsMost).toBeLessThan(60);
  },
);

test("half the receivers refuse some, half the workers let them wait, and a small database does both", () => {
  const plan = planFor(1e9, costs, assumptions);
  const few = dayOf({ ...plan, receivers: plan.receivers / 2 }, costs, assumptions);
  expect(few.refused).toBeGreaterThan(1e6);
  const slow = dayOf({ ...plan, workers: plan.workers / 2 }, costs, assumptions);
  const whole = dayOf(plan, costs, assumptions);
  expect(slow.waitSecondsMost).toBeGreaterThan(whole.waitSecondsMost * 1.5);
  const small = dayOf({ ...plan, databases: 1 }, costs, { ...assumptions, databaseCores: 4 });
  expect(small.refused).toBeGreaterThan(1e6);
  expect(small.serverMost).toBeGreaterThan(0.85);
});

test("the page on scaling has the costs that were measured, and what follows from them", () => {
  const page = readFileSync(join(root, "docs/scaling.md"), "utf8").replaceAll(/ +/g, " ");
  expect(page).toContain(`| receives and handles | ${costs.both} | ${costs.serverBoth} |`);
  expect(page).toContain(`(\`work: false\`) | ${costs.receive} | ${costs.serverReceive} |`);
  expect(page).toContain(`a backlog | ${costs.work} | ${costs.serverWork} |`);
  expect(page).toContain(`${costs.logBytes.toLocaleString("en")} bytes of log`);
  for (const count of [1e6, 1e7, 1e8, 1e9]) {
    const plan = planFor(count, costs, assumptions);
    const most = plan.mostPerSecond.toLocaleString("en", { maximumFractionDigits: 0 });
    const processes = `${plan.processes} | ${plan.receivers} + ${plan.workers}`;
    expect(page).toContain(`| ${count.toLocaleString("en")} | ${most} | ${processes} |`);
    expect(page).toContain(`| ${plan.databases}, ${plan.because} |`);
  }
});
