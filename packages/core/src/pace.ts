/**
 * Work behind live traffic: little at once, so that nobody waits for it for long, and rests between, so that most commits
 * are those of deliveries.
 */

const aimMs = 4;
const restMsMin = 10;
const sizeMin = 8;

/** How much to do at once, learnt from the time that it takes. */
export class Pace {
  readonly #max: number;
  #size: number;

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
    if (ms > aimMs) this.#size = Math.max(Math.min(this.#max, sizeMin), this.#size >> 1);
    else if (ms < aimMs / 2) this.#size = Math.min(this.#max, this.#size * 2);
  }
}

/** How long to rest, so that others have the store for three quarters of the time. */
export function restAfter(tookMs: number): number {
  return Math.max(3 * tookMs, restMsMin);
}
