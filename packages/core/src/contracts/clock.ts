/** Time as the inbox sees it. Handed in, so that tests can rule it. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `callback` after `delayMs`; the function returned cancels it. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Longest delay that is handed to one timer: beyond 2^31 ms a timer fires at once. */
const timerMsMax = 3_600_000;

/** Kept from the start: what a handler does to the globals is its own affair. */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const thisMs = Math.min(Math.max(leftMs, 0), timerMsMax);
      timer = startTimer(() => (thisMs < leftMs ? wait(leftMs - thisMs) : callback()), thisMs);
      timer.unref();
    };
    wait(delayMs);
    return () => stopTimer(timer);
  },
};
