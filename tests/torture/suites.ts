/** Trials that are tests of the suite: run by their names, and counted. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SuiteReport {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
}

interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    /** Path of the file. */
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const root = join(import.meta.dirname, "../..");

/** Runs the tests of some files, `<project>/<part of the path>`, whose names match. Throws if nothing could be run. */
export function suiteRun(
  files: readonly string[],
  name: string,
  directoryOf: string = root,
  env: Readonly<Record<string, string>> = {},
): SuiteReport {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-suite-"));
  const output = join(directory, "results.json");
  const projects = new Set(files.map((file) => file.slice(0, file.indexOf("/"))));
  const given = [
    ...files.map((file) => file.slice(file.indexOf("/") + 1)),
    ...[...projects].flatMap((project) => ["--project", project]),
    "--testNamePattern",
    name,
    "--reporter",
    "json",
    "--outputFile",
    output,
  ];
  try {
    const vitest = join(directoryOf, "node_modules/vitest/vitest.mjs");
    const { stderr } = spawnSync(process.execPath, [vitest, "run", ...given], {
      cwd: directoryOf,
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
    let results: Results;
    try {
      results = JSON.parse(readFileSync(output, "utf8")) as Results;
    } catch {
      throw new Error(`the tests could not be run: ${stderr.slice(-2000)}`);
    }
    // A file that cannot be loaded, or in which no test has this name, has failed nothing by itself.
    const silent = files.filter((file) => {
      const part = file.slice(file.indexOf("/") + 1);
      const own = results.testResults.filter((one) => one.name.includes(part));
      const tests = own.flatMap(({ assertionResults }) => assertionResults);
      return !tests.some(({ status }) => status === "passed" || status === "failed");
    });
    const failures = results.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === "failed")
      .map(({ fullName }) => fullName);
    return {
      passed: results.numPassedTests,
      failed: results.numFailedTests + silent.length,
      failures: [...failures, ...silent.map((file) => `nothing was run of ${file}`)],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
