/** Work that somebody waits for, with nothing else in the process that does. */

/** Keeps the process alive until the function returned is called. */
export function stayAlive(): () => void {
  const timer = setInterval(() => undefined, 3_600_000);
  return () => clearInterval(timer);
}
