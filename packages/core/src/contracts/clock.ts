/** Time as the inbox sees it. Handed in, so that tests can rule it. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `callback` after `delayMs`; the function returned cancels it. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Longest delay that is handed to a timer: beyond 2^31 ms a timer fires at once. */
const timerMsMax = 3_600_000;

/** The machine's clock. Delays longer than an hour fire after an hour: whoever waits looks at `now()` again. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), timerMsMax));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
