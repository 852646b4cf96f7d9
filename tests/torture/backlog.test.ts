import { expect, test } from "vitest";
import { backlogRun } from "./backlog.ts";

// Its figures are for a quiet machine: `pnpm backlog`. Here it only has to run, and to answer everything.
test("while a backlog is worked off, every delivery is answered 200", async () => {
  const options = { backlog: 20_000, rounds: 1, roundMs: 1000, perSecond: 100, handlerMs: 10 };
  const report = await backlogRun(options);
  console.log(JSON.stringify(report));
  expect(report).toMatchObject({ asked: 100, refused: 0 });
});
