/** When a failed event is tried again. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Delays after the first, second, … attempt: twelve attempts over about three days. */
export const defaultDelaysMs: readonly number[] = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** Share of a delay by which it is spread to either side, so that what failed together does not return together. */
const jitter = 0.2;

/** The delay after attempt number `attempt`, or undefined when that was the last one. `random` is in [0, 1). */
export function delayAfter(
  attempt: number,
  delaysMs: readonly number[],
  random: () => number,
): number | undefined {
  const delayMs = delaysMs[attempt - 1];
  return delayMs === undefined
    ? undefined
    : Math.round(delayMs * (1 + jitter * (2 * random() - 1)));
}
