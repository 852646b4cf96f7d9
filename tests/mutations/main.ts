/**
 * Mutation of ourselves: plants each flaw in a copy of the project, runs the tests that are there to notice it, and says which of
 * them did. Fails if a flaw is not noticed.
 *
 * pnpm mutations [--only "fence"]
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { suiteRun } from "../torture/suites.ts";
import { flaws, type Flaw, type NoticedBy } from "./flaws.ts";

const root = join(import.meta.dirname, "../..");
const copied = [
  "packages",
  "tests",
  "examples",
  "docs",
  "README.md",
  "package.json",
  "pnpm-workspace.yaml",
  "vitest.config.ts",
  "tsconfig.json",
  "tsconfig.base.json",
  "tsconfig.check.json",
];

/** A copy with the packages that are installed here. */
function copyOf(): string {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-mutations-"));
  for (const name of copied) {
    cpSync(join(root, name), join(directory, name), { recursive: true, verbatimSymlinks: true });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return directory;
}

/** The first test or trial that fails; undefined if none does. */
function firstFailure(copy: string, noticedBy: NoticedBy): string | undefined {
  if ("trial" in noticedBy) return failingTrial(copy, noticedBy.trial);
  const { passed, failures } = suiteRun(noticedBy.tests, noticedBy.only ?? "", copy);
  // A flaw that cannot even be loaded was noticed by nobody.
  const test = failures.find((name) => !name.startsWith("nothing was run"));
  if (passed === 0 && test === undefined) throw new Error("no test was run");
  return test;
}

/** What fails without a flaw notices none. */
const sound = new Set<string>();

/** The test that notices it first; undefined if none does. */
function noticed(copy: string, { file, find, put, noticedBy }: Flaw): string | undefined {
  const path = join(copy, file);
  const right = readFileSync(path, "utf8");
  if (right.split(find).length !== 2) throw new Error(`${file} has not once: ${find}`);
  const which = JSON.stringify(noticedBy);
  if (!sound.has(which)) {
    const failing = firstFailure(copy, noticedBy);
    if (failing !== undefined) throw new Error(`without a flaw fails: ${failing}`);
    sound.add(which);
  }
  writeFileSync(
    path,
    right.replace(find, () => put),
  );
  try {
    return firstFailure(copy, noticedBy);
  } finally {
    writeFileSync(path, right);
  }
}

function failingTrial(copy: string, id: string): string | undefined {
  const given = ["tests/torture/main.ts", "--only", id];
  const { stdout } = spawnSync(process.execPath, given, { cwd: copy, encoding: "utf8" });
  const failed = /^(\S+) +FAILED +(?!the control)(.*?):/m.exec(stdout);
  if (failed !== null) return `${failed[1] ?? ""}: ${failed[2] ?? ""}`;
  if (!stdout.includes(" passed ")) throw new Error(`${id} was not run: ${stdout}`);
  return undefined;
}

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const copy = copyOf();
let missed = 0;
try {
  const meant = flaws.filter(({ name }) => name.includes(values.only));
  for (const flaw of meant) {
    const test = noticed(copy, flaw);
    if (test === undefined) missed += 1;
    console.log(`${test === undefined ? "MISSED" : "caught"} ${flaw.name}: ${test ?? "by none"}`);
  }
  console.log(`${meant.length - missed} of ${meant.length} caught`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.exitCode = missed > 0 ? 1 : 0;
