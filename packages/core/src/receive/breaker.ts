/**
 * Whether the store is away: found by the end of a call, or by its length, so that nobody waits for a store that does not
 * answer. What has found it to be away goes on; the first call that succeeds afterwards finds that it is back.
 */

import type { Clock } from "../contracts/clock.ts";
import { isStoreAway, WebhookInboxError } from "../errors.ts";

interface BreakerNeeds {
  readonly clock: Clock;
  /** Called when the store is found to be away. */
  readonly onAway: (error: unknown) => void;
  /** Called when a call that took too long has ended after all. */
  readonly onLate: () => void;
}

/** A call that takes longer shows that the store is away, whatever becomes of the call. */
const patienceMsMin = 200;
const patienceMsMax = 1000;
/** Of a store that is always slow: how many times its usual time a call may take. */
const patienceFactor = 3;
/** Weight of a call in what is usual. */
const weight = 0.2;

export class Breaker {
  readonly #needs: BreakerNeeds;
  #isAway = false;
  /** What calls that succeed take, on average. */
  #usualMs: number | undefined;
  /** Calls that outlasted the patience, and go on. */
  #late = 0;
  /** Turns away those who wait for the store. */
  readonly #waiting = new Set<() => void>();

  constructor(needs: BreakerNeeds) {
    this.#needs = needs;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Makes a call of the store, and learns from it. */
  async watched<T>(call: () => Promise<T>): Promise<T> {
    let hasEnded = false;
    let isLate = false;
    const look = (): void => {
      if (hasEnded) return;
      isLate = true;
      this.#late += 1;
      this.trip(awayError());
    };
    // What has come in meanwhile is read first: that the event loop was blocked is not the store's fault.
    const cancel = this.#needs.clock.after(this.#patienceMs, () => setImmediate(look));
    const began = performance.now();
    try {
      const answer = await call();
      this.#learn(performance.now() - began);
      return answer;
    } catch (error) {
      if (isStoreAway(error)) this.trip(error);
      throw error;
    } finally {
      hasEnded = true;
      cancel();
      if (isLate) {
        this.#late -= 1;
        this.#needs.onLate();
      }
    }
  }

  get #patienceMs(): number {
    const usual = (this.#usualMs ?? 0) * patienceFactor;
    return Math.min(Math.max(usual, patienceMsMin), patienceMsMax);
  }

  #learn(ms: number): void {
    const bounded = Math.min(ms, patienceMsMax);
    this.#usualMs = bounded * weight + (this.#usualMs ?? bounded) * (1 - weight);
  }

  /** Waits for `asked`, which is told when nobody waits any more; rejects as soon as the store is found to be away. */
  unlessAway<T>(ask: (isWanted: () => boolean) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let isWanted = true;
      const leave = (): void => {
        isWanted = false;
        reject(awayError());
      };
      this.#waiting.add(leave);
      ask(() => isWanted)
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(leave));
    });
  }

  /** The store is away. */
  trip(error: unknown): void {
    const isNews = !this.#isAway;
    this.#isAway = true;
    for (const leave of this.#waiting) leave();
    if (isNews) this.#needs.onAway(error);
  }

  /** The store has answered. While a call hangs those who come next would wait behind it. */
  reset(): void {
    if (this.#late === 0) this.#isAway = false;
  }
}

/** Waits until `until` for `asked`, which is told when nobody waits any more; rejects then. */
export function before<T>(
  clock: Clock,
  until: number,
  ask: (isWanted: () => boolean) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isWanted = true;
    const cancel = clock.after(Math.max(0, until - clock.now()), () => {
      isWanted = false;
      reject(awayError());
    });
    ask(() => isWanted)
      .then(resolve, reject)
      .finally(cancel);
  });
}

function awayError(): WebhookInboxError {
  return new WebhookInboxError("STORE_UNAVAILABLE", "the store did not answer in time.");
}
