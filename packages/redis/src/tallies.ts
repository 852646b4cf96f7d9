/** Tallies as the scripts keep them: a hash for each minute or hour, from ways to counts. */

import type { EventState, Tally, TallyQuery } from "@webhook-inbox/core";
import { floorTo } from "@webhook-inbox/core/records";
import { fieldsOf } from "./rows.ts";

/** What scripts answer of tallies: instants, each with its ways and their counts. */
export function talliesOf(
  reply: unknown,
  { source, type, stepMs = Infinity }: TallyQuery,
): readonly Tally[] {
  const sums = new Map<string, Tally>();
  for (const [instant, ways] of reply as readonly (readonly [Buffer, readonly Buffer[]])[]) {
    const at = floorTo(Number(instant), stepMs);
    for (const [way, count] of fieldsOf(ways)) {
      const [from, of, state, to] = JSON.parse(way) as [string, string, string, string];
      if ((source !== undefined && source !== from) || (type !== undefined && type !== of))
        continue;
      const name = `${at} ${way}`;
      sums.set(name, {
        at,
        source: from,
        type: of,
        from: state === "" ? undefined : (state as EventState),
        to: to as Tally["to"],
        count: (sums.get(name)?.count ?? 0) + Number(count),
      });
    }
  }
  return [...sums.values()].toSorted((a, b) => a.at - b.at);
}
