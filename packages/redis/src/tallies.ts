/** Tallies as the scripts keep them: counts of ways, by minute or hour, and in all. */

import type { EventState, Tally, TallyQuery } from "@webhook-inbox/core";
import type { Connection } from "./connection.ts";
import { tally } from "./scripts/look.ts";

/** How often to begin anew because minutes were summed up into hours meanwhile. */
const triesMax = 3;

/** Asks for a bounded number of instants at a time, so that nobody has to wait long. */
export async function talliesOf(
  connection: Connection,
  query: TallyQuery,
): Promise<readonly Tally[]> {
  for (let tries = 1; ; tries++) {
    const sums = new Map<string, Tally>();
    const folds = new Set<string>();
    let after = "";
    do {
      const ask = after === "" ? inputOf(query) : { ...inputOf(query), after };
      const reply = (await connection.run(tally, ask)) as [Buffer, Buffer, readonly Buffer[]];
      const [folded, last, found] = reply;
      folds.add(String(folded));
      after = String(last);
      for (let at = 0; at < found.length; at += 3) {
        add(sums, tallyOf(Number(found[at]), String(found[at + 1]), Number(found[at + 2])));
      }
    } while (after !== "");
    if (folds.size === 1 || tries === triesMax) {
      return [...sums.values()].toSorted((a, b) => a.at - b.at);
    }
  }
}

function inputOf({ source, type, from, before, stepMs }: TallyQuery): object {
  return {
    source,
    type,
    ...(from === undefined ? {} : { from: Math.floor(from) }),
    ...(before === undefined ? {} : { before: Math.ceil(before) }),
    ...(stepMs !== undefined && Number.isFinite(stepMs) ? { stepMs } : {}),
  };
}

function add(sums: Map<string, Tally>, tallied: Tally): void {
  const { at, source, type, from, to, count } = tallied;
  const name = JSON.stringify([at, source, type, from, to]);
  sums.set(name, { ...tallied, count: count + (sums.get(name)?.count ?? 0) });
}

/** A tally of a way as the scripts write it: JSON of source, type, and the two states. */
export function tallyOf(at: number, way: string, count: number): Tally {
  const [source, type, from, to] = JSON.parse(way) as [string, string, string, Tally["to"]];
  return { at, source, type, from: from === "" ? undefined : (from as EventState), to, count };
}
