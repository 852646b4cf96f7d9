/** What an import brings with it: measured in a process of its own, on the sources. */

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Everything that is loaded when `entry` is imported. */
function loadedBy(entry: string): string {
  const code = `
    import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) { console.log(url); return next(url, context); } });
    await import(${JSON.stringify(entry)});
  `;
  return execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
}

test("core's index brings neither zod nor SQLite nor HTTP", () => {
  const loaded = loadedBy("@webhook-inbox/core");
  expect(loaded).toMatch(/core\/src\/inbox\/create-inbox\.ts/);
  expect(loaded).not.toMatch(
    /zod|node:sqlite|node:http|node:fs|providers\/(?!define-provider|lookup|content|events|query)/,
  );
});

test("a store brings no provider, and a provider no store", () => {
  expect(loadedBy("@webhook-inbox/core/sqlite")).not.toMatch(/zod|\/providers\//);
  expect(loadedBy("@webhook-inbox/core/providers/audata")).not.toMatch(/\/stores\/|node:sqlite/);
});
