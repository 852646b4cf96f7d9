/** Waiting, but not for ever. */

import type { Clock } from "../contracts/clock.ts";

/** Longer timers end at once. */
const timerMsMax = 2 ** 31 - 1;

/** Whether `promise` resolved within `ms`, which may be `Infinity`. Rejects as it does. */
export async function within(clock: Clock, ms: number, promise: Promise<void>): Promise<boolean> {
  const resolved = promise.then(() => true);
  if (ms > timerMsMax) return await resolved;
  let cancel: () => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(ms, () => resolve(false));
  });
  try {
    return await Promise.race([resolved, late]);
  } finally {
    cancel();
  }
}
