/** The page of options, signals and errors: it names all that there is, as the source has it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./sources.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/options.md");

/** The text of a declaration, up to the next one. */
function declaration(path: string, name: string): string {
  const [, after = ""] = read(`packages/core/src/${path}`).split(
    new RegExp(`\\b${name}\\b[^\\n]*[={]`),
  );
  return after.split(/^(?:export|\/\*\*)/m)[0] ?? "";
}

const matches = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name = ""]) => name);

const signals = declaration("observe/signals.ts", "type Signal");

test.each([
  ["signals", matches(signals, /readonly kind: "(\w+)"/g), 20],
  ["errors", matches(declaration("errors.ts", "type ErrorCode"), /"(\w+)"/g), 10],
  ["notes", matches(declaration("model/event.ts", "type Note"), /"(\w+)"/g), 8],
  [
    "reasons of quarantine",
    matches(declaration("model/event.ts", "type QuarantineReason"), /"(\w+)"/g),
    8,
  ],
  ["reasons of death", matches(declaration("model/event.ts", "type DeadReason"), /"(\w+)"/g), 3],
  [
    "options",
    matches(
      read("packages/core/src/options/options.ts").split("export interface WorkOptions")[0] ?? "",
      /^ {2}readonly (\w+)\??:/gm,
    ),
    15,
  ],
  [
    "options of a source",
    matches(
      read("packages/core/src/options/sources.ts").split("retry: [")[0] ?? "",
      /^ {4}"(\w+)"/gm,
    ),
    10,
  ],
])("%s", (_, names, least) => {
  expect(names.length).toBeGreaterThanOrEqual(least);
  expect(names.filter((name) => !new RegExp(`\`(?:[\\w.]+\\.)?${name}\\b`).test(page))).toEqual([]);
});
