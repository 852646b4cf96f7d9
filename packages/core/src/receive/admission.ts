/** Bounds what all deliveries in flight may hold in memory together. */

export interface Admission {
  /** Reserves room for a delivery; the function returned gives it back. Undefined when there is none. */
  enter(bytes: number): (() => void) | undefined;
}

/** A delivery without a body still costs its head, its socket and its promises. */
const bytesMin = 16_384;

export function createAdmission(inFlightBytesMax: number): Admission {
  let inFlight = 0;
  return {
    enter(bytes) {
      const reserved = Math.max(bytes, bytesMin);
      // A single delivery always fits, so that a small bound cannot refuse everything.
      if (inFlight > 0 && inFlight + reserved > inFlightBytesMax) return undefined;
      inFlight += reserved;
      return () => {
        inFlight -= reserved;
      };
    },
  };
}
