/** `pnpm bench disturbed`: how long answers take while something goes on beside them, and without it (P7). */

import { ratiosOf, reachedOf, spread, type Report, type Target } from "./report.ts";
import { median, roundsOf } from "./rounds.ts";
import { disturbances } from "./subjects/disturbed.ts";
import type { Places } from "./subjects/subject.ts";

const stores = ["sqlite", "postgres"];
const perSecond = 1000;
const titles: Readonly<Record<(typeof disturbances)[number], string>> = {
  none: "nothing beside it",
  waiting: "500,000 events that wait",
  hanging: "200 events of another source whose handlers never end",
  duplicates: "every fifth delivery sent twice",
  draining: "a spill of 40,000 that drains",
  pruning: "500,000 events that are old and pruned",
};

export interface DisturbedOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
}

export async function disturbed(
  places: Places,
  { rounds, seconds, only }: DisturbedOptions,
): Promise<Report> {
  const chosen = stores.filter((store) => only.length === 0 || only.includes(store));
  const found = await roundsOf({
    names: chosen.flatMap((store) => disturbances.map((one) => `${store}: ${one}`)),
    rounds,
    connections: 64,
    warmUpMs: 3000,
    countedMs: seconds * 1000,
    perSecond,
    copyEvery: (name) => (name.endsWith(": duplicates") ? 5 : undefined),
    places,
  });
  const p99sOf = (name: string): readonly number[] =>
    (found.get(name) ?? []).map(({ p99Ms }) => p99Ms);
  const targets: readonly Target[] = chosen.flatMap((store) =>
    disturbances
      .filter((one) => one !== "none")
      .map((one) => ({ id: "P7", of: `${store}: ${one}`, to: `${store}: none`, atMost: 1.5 })),
  );
  return {
    name: "disturbed",
    how: `${perSecond.toLocaleString("en")} deliveries each second, ${rounds} interleaved rounds of ${seconds} s, medians; times are from when a delivery was due.`,
    heads: ["store", "beside it", "p50 ms", "p99 ms", "p99 × undisturbed"],
    rows: chosen.flatMap((store) =>
      disturbances.map((one) => {
        const name = `${store}: ${one}`;
        return [
          store,
          titles[one],
          median((found.get(name) ?? []).map(({ p50Ms }) => p50Ms)).toFixed(2),
          median(p99sOf(name)).toFixed(2),
          spread(ratiosOf(p99sOf(name), p99sOf(`${store}: none`))),
        ];
      }),
    ),
    reached: reachedOf(targets, p99sOf),
    figures: Object.fromEntries(found),
  };
}
