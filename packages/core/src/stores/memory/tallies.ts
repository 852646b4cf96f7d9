/** The ledger of the memory store. */

import type { PruneAsk, Tally, TallyQuery } from "../../contracts/store.ts";
import { floorTo, hourMs, tallyBounds, type Moves } from "../records.ts";

export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  write(moves: Moves, now: number): void {
    for (const tally of moves.tallies(now)) addTo(this.#tallies, tally);
  }

  /** Sums up what is long ago. */
  fold(ask: PruneAsk, now: number): void {
    const { hoursBefore, oneBefore } = tallyBounds(ask, now);
    const old = [...this.#tallies.values()].filter(({ at }) => at < hoursBefore);
    for (const tally of old) this.#tallies.delete(nameOf(tally));
    for (const tally of old) {
      const at = tally.at < oneBefore ? 0 : floorTo(tally.at, hourMs);
      addTo(this.#tallies, { ...tally, at });
    }
  }

  read(query: TallyQuery): readonly Tally[] {
    const { source, type, from = 0, before = Infinity, stepMs = Infinity } = query;
    const sums = new Map<string, Tally>();
    for (const tally of this.#tallies.values()) {
      const isAsked =
        (source === undefined || tally.source === source) &&
        (type === undefined || tally.type === type);
      if (!isAsked || tally.at < from || tally.at >= before) continue;
      addTo(sums, { ...tally, at: floorTo(tally.at, stepMs) });
    }
    return [...sums.values()];
  }
}

/** One tally for each time, source, type and way. */
const nameOf = ({ at, source, type, from, to }: Tally): string =>
  [at, source, from, to, type].join("\0");

function addTo(tallies: Map<string, Tally>, tally: Tally): void {
  const count = tally.count + (tallies.get(nameOf(tally))?.count ?? 0);
  tallies.set(nameOf(tally), { ...tally, count });
}
