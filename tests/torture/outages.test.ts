import { expect, test } from "vitest";
import { broken, outageRun } from "./outage.ts";
import { outages } from "./outages.ts";

const options = { beforeMs: 1500, outageMs: 3000, afterMs: 500, connections: 8, pauseMs: 40 };

// Its times are for a quiet machine: `pnpm outages`. Here nothing may be lost, and nothing refused.
test.each(Object.entries(outages))("%s, with a spill", { timeout: 240_000 }, async (name, make) => {
  const outage = await make();
  try {
    const report = await outageRun(outage, options);
    console.log(JSON.stringify({ outage: name, ...report }));
    expect(broken(report)).toEqual({});
    expect(report.acked_during).toBeGreaterThan(50);
    expect(report.drained).toBeGreaterThan(50);
  } finally {
    await outage.remove();
  }
});
