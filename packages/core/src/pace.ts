/**
 * Work behind live traffic: little at once, so that nobody waits for it for long, and rests between, so that most commits
 * are those of deliveries.
 */

const aimMs = 4;
/** Of a store that is far away: how many times as long as the least may take. */
const dearest = 2;
const cheapest = 1.25;
/** Weight of a measurement in what the least takes. */
const weight = 0.2;
const restMsMin = 10;
const sizeMin = 8;

/** How much to do at once, learnt from the time that it takes. */
export class Pace {
  readonly #max: number;
  #size: number;
  /** What as little as may be takes: mostly the way to the store and back. */
  #leastMs: number | undefined;

  constructor(max: number) {
    this.#max = max;
    this.#size = Math.min(max, sizeMin);
  }

  /** At most `max`. */
  get size(): number {
    return this.#size;
  }

  /** Told how long as much as `size` has taken. */
  took(ms: number): void {
    const least = Math.min(this.#max, sizeMin);
    if (this.#size <= least) this.#leastMs = ms * weight + (this.#leastMs ?? ms) * (1 - weight);
    // As much as this in less time: then the first ones were slow for reasons of their own.
    const leastMs = Math.min(ms, this.#leastMs ?? ms);
    this.#leastMs = leastMs;
    if (ms > Math.max(aimMs, leastMs * dearest)) this.#size = Math.max(least, this.#size >> 1);
    else if (ms < Math.max(aimMs / 2, leastMs * cheapest)) {
      this.#size = Math.min(this.#max, this.#size * 2);
    }
  }
}

/** How long to rest, so that others have the store for three quarters of the time. */
export function restAfter(tookMs: number): number {
  return Math.max(3 * tookMs, restMsMin);
}
