/** The store of `docs/writing-a-store.md`, held to the suite by Node's own runner. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the example of a store of one's own passes the whole suite", () => {
  const cwd = join(import.meta.dirname, "../../examples/own-store");
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap"], {
    cwd,
    env,
    encoding: "utf8",
  });
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(100);
  expect(status).toBe(0);
});
