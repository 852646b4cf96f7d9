/**
 * The torture run: everything that may be done to an inbox, its store, its network and its machine, and the counts of what was
 * lost, done twice or left over, each held to its bar.
 *
 * pnpm torture [--profile short|full] [--only K1 [--only K2]] [--seed N] [--json FILE]
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CannotRun } from "../support/cannot-run.ts";
import type { Found, Profile, Trial } from "./trial.ts";
import { trials } from "./trials.ts";
import { keepCompiled } from "../support/compile-cache.ts";

const { values } = parseArgs({
  options: {
    profile: { type: "string", default: "short" },
    only: { type: "string", multiple: true, default: [""] },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "string" },
  },
});
if (values.profile !== "short" && values.profile !== "full") {
  throw new Error(`--profile is short or full, and not ${values.profile}.`);
}
const profile: Profile = values.profile;
const seed = Number(values.seed);
/** `K1` is that trial alone, `K` all of its letter; what is longer is looked for in what is done. */
const isMeant = ({ id, what }: Trial): boolean =>
  values.only.some(
    (only) =>
      id === only ||
      id.replace(/\d+$/, "") === only ||
      (!/^[A-Z]+\d*$/.test(only) && what.includes(only)),
  );

/** Trials without which nothing is proved: a machine that cannot run one of them is no place for this. */
const mustRun: ReadonlySet<string> = new Set(
  "K1 K2 K3 K4 K6 K7 K8 K9 S1 S2 S5 S9 N1 N2 N3 L1 L2 L3 D1 D2 D3 D4 B1".split(" "),
);

type Verdict = "passed" | "FAILED" | "not run";

interface Row {
  readonly id: string;
  readonly what: string;
  readonly verdict: Verdict;
  readonly says: string;
  readonly ms: number;
  readonly figures: object;
}

async function rowOf({ id, what, run }: Trial): Promise<Row> {
  const began = performance.now();
  const onStep = (done: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${id} ${Math.round(done * 100)} % `);
  };
  let found: Found | Error;
  try {
    found = await run({ profile, seed, isQuiet: true, onStep });
  } catch (error) {
    found = error instanceof Error ? error : new Error(String(error));
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  const ms = Math.round(performance.now() - began);
  if (!(found instanceof Error)) {
    const verdict = found.isBroken ? "FAILED" : "passed";
    return { id, what, verdict, says: found.says, figures: found.figures, ms };
  }
  const verdict = found instanceof CannotRun ? "not run" : "FAILED";
  return { id, what, verdict, says: found.message, figures: {}, ms };
}

// What is cleaned up when a process ends is cleaned up then, too.
process.once("SIGINT", () => process.exit(130));
await keepCompiled();
const rows: Row[] = [];
console.log(`profile ${profile}, seed ${seed}, Node ${process.version}`);
for (const trial of [...trials.programs, ...trials.tests].filter(isMeant)) {
  const row = await rowOf(trial);
  rows.push(row);
  const { id, verdict, what, says, ms } = row;
  console.log(`${id.padEnd(5)} ${verdict.padEnd(7)} ${what}: ${says} (${Math.round(ms / 1000)} s)`);
  if (verdict === "FAILED") console.log(JSON.stringify(row.figures));
}
const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
console.log(`${count("passed")} passed, ${count("FAILED")} failed, ${count("not run")} not run`);
if (values.json !== undefined) {
  const machine = { node: process.version, platform: process.platform, arch: process.arch };
  writeFileSync(values.json, JSON.stringify({ profile, seed, machine, rows }, undefined, 1));
}
const missing = rows.filter(({ id, verdict }) => verdict === "not run" && mustRun.has(id));
if (missing.length > 0) console.log("what was not run has to be run somewhere: see above");
// Node does not end by itself after sockets that were reset.
process.exit(count("FAILED") + missing.length > 0 || count("passed") === 0 ? 1 : 0);
