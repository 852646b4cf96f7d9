/** Puts a body together from its chunks: one buffer, bounded in size, in room and in time, whoever reads the chunks. */

import type { BodyRead } from "../contracts/door.ts";

/** A body that takes longer than this to arrive is none. */
const bodyMsMax = 10_000;
/** After its first moments a body has to arrive at this pace. */
const graceMs = 2000;
const bytesPerSecondMin = 1024;
const paceMs = 500;

export interface Bounds {
  readonly bytesMax: number;
  /** How many bytes were announced; NaN where nothing was. */
  readonly announced: number;
  /** Asked before more is held, with all that would be held then. */
  readonly reserve: (bytes: number) => boolean;
}

interface Gathering {
  /** Whether more is wanted. */
  readonly add: (chunk: Uint8Array) => boolean;
  /** Everything has arrived; or, with `read`, nothing more will. */
  readonly end: (read?: BodyRead) => void;
}

/** Begins; calls `done` once, as soon as it is known what becomes of the body. */
export function gather(bounds: Bounds, done: (read: BodyRead) => void): Gathering {
  const { bytesMax, announced, reserve } = bounds;
  const began = performance.now();
  let held: Uint8Array = new Uint8Array();
  let size = 0;
  let isDone = false;
  const leave = pace(() => {
    const elapsedMs = performance.now() - began;
    const isSlow = elapsedMs > graceMs && size < (elapsedMs / 1000) * bytesPerSecondMin;
    if (isSlow || elapsedMs > bodyMsMax) end({ kind: "too_slow" });
  });

  function end(read?: BodyRead): void {
    if (isDone) return;
    isDone = true;
    leave();
    done(read ?? { kind: "read", bytes: held.subarray(0, size), reconstructed: false });
  }

  function hold(chunk: Uint8Array): void {
    const before = size;
    size += chunk.length;
    if (size > bytesMax) return end({ kind: "too_large" });
    if (!reserve(size)) return end({ kind: "no_room" });
    // A body in one chunk is not copied; one in a million chunks costs no more than its bytes.
    if (before === 0 && size === announced) {
      held = chunk;
      return;
    }
    held = withRoom(held, before, Math.min(Math.max(size, announced || 0), bytesMax));
    held.set(chunk, before);
  }

  return {
    end,
    add(chunk) {
      if (!isDone) hold(chunk);
      return !isDone;
    },
  };
}

/** Checks of all bodies that are being read: one timer for them together, while there are any. */
const paced = new Set<() => void>();
let pacing: NodeJS.Timeout | undefined;

/** Calls `check` now and then, until the function returned is called. */
function pace(check: () => void): () => void {
  paced.add(check);
  pacing ??= setInterval(() => {
    for (const one of paced) one();
    if (paced.size > 0) return;
    clearInterval(pacing);
    pacing = undefined;
  }, paceMs).unref();
  return () => void paced.delete(check);
}

/** A buffer that starts with the first `used` bytes of `held` and has room for `size`: at least twice as much as before. */
function withRoom(held: Uint8Array, used: number, size: number): Uint8Array {
  if (held.length >= size) return held;
  const larger = Buffer.allocUnsafe(Math.max(size, held.length * 2, 4096));
  larger.set(held.subarray(0, used));
  return larger;
}
