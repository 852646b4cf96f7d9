/** The short profile, each kind of trial on one store: `pnpm torture` has all. What is a test of the suite anyway is not run twice. */

import { expect, test } from "vitest";
import type { Trial } from "./trial.ts";
import { trials } from "./trials.ts";

const seed = 20_261_129;
/** The simulation and zombies have tests of their own; bars of time count where nothing else runs. */
const elsewhere: ReadonlySet<string> = new Set(["SIM1", "L1", "B1", "B4", "L9", "X1", "B8"]);

/** On PostgreSQL, where it is there, since most can go wrong with it. */
const meant = new Map<string, Trial>();
for (const trial of trials.programs) {
  const kind = `${trial.id} ${trial.what.replace(/,? ?(?:SQLite|PostgreSQL|MySQL|Redis)\b/, "")}`;
  const isBetter = !meant.has(kind) || trial.what.includes("PostgreSQL");
  if (isBetter && !elsewhere.has(trial.id)) meant.set(kind, trial);
}

test.each([...meant.values()].map((trial) => [trial.id, trial.what, trial] as const))(
  "%s: %s",
  async (_id, _what, { run }) => {
    const found = await run({ profile: "short", seed, isQuiet: false, onStep: () => undefined });
    console.log(found.says);
    expect(found).toMatchObject({ isBroken: false });
  },
);
