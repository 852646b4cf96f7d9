/** A time in words: milliseconds below a second, else seconds. */

export function durationText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`;
}
