/** What the ledger says of each source and type: how many events came, and where they stand. */

import type { Tally } from "../contracts/store.ts";
import type { EventState } from "../model/event.ts";

/** The events of one type of a source. */
export interface Standing {
  readonly source: string;
  readonly type: string;
  /** Events that came, those that were refused aside. */
  readonly taken: number;
  /** Further deliveries of these. */
  readonly duplicates: number;
  /**
   * How many events went into each state, less those that left it: over all time, those that stand there; within a time, how
   * many more there are at its end. Those in a worker's hand count as `pending`.
   */
  readonly standing: Readonly<Record<CountedState, number>>;
}

/** The states that the ledger tells apart. */
export type CountedState = Exclude<EventState, "running">;

/** Sums up what `inbox.tally` answered, by source and type. */
export function standings(tallies: readonly Tally[]): readonly Standing[] {
  const found = new Map<string, Writable>();
  for (const { source, type, from, to, count } of tallies) {
    const name = JSON.stringify([source, type]);
    const one = found.get(name) ?? fresh(source, type);
    found.set(name, one);
    if (to === "duplicate") one.duplicates += count;
    else if (from === undefined && to !== "conflict" && to !== "refused") one.taken += count;
    add(one.standing, from, -count);
    add(one.standing, to, count);
  }
  return [...found.values()].toSorted(
    (a, b) => a.source.localeCompare(b.source) || a.type.localeCompare(b.type),
  );
}

interface Writable extends Standing {
  taken: number;
  duplicates: number;
  readonly standing: Record<CountedState, number>;
}

const fresh = (source: string, type: string): Writable => ({
  source,
  type,
  taken: 0,
  duplicates: 0,
  standing: {
    pending: 0,
    done: 0,
    dead: 0,
    quarantined: 0,
    unhandled: 0,
    cancelled: 0,
    erased: 0,
    refused: 0,
  },
});

/** What leads out of the inbox, or into it, is no state. */
function add(
  standing: Writable["standing"],
  place: Tally["from"] | Tally["to"],
  count: number,
): void {
  const state = place === "running" ? "pending" : place;
  if (state !== undefined && state in standing) standing[state as CountedState] += count;
}
