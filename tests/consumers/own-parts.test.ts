/** Examples that are tests: run by Node's own runner, the store and the provider of the pages on writing one among them. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test.each([
  ["own-store", 100],
  ["own-provider", 15],
  ["testing-handlers", 0],
])("the example %s passes all its tests", (name, testsMin) => {
  const cwd = join(import.meta.dirname, "../../examples", name);
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap"], {
    cwd,
    env,
    encoding: "utf8",
  });
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(testsMin);
  expect(status).toBe(0);
});
