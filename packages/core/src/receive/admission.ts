/** Bounds what all deliveries in flight may hold in memory together, and what those may hold that nobody has vouched for. */

export interface Admission {
  /** Lets a delivery in; undefined when there is no room. */
  enter(): Pass | undefined;
}

/** A delivery's share of the room. */
export interface Pass {
  /** Makes the share large enough for a body of `bytes`; false when there is no room. */
  grow(bytes: number): boolean;
  /** Gives the share back. */
  leave(): void;
}

/** A delivery without a body still costs its head, its socket and its promises. */
const headBytes = 16_384;

export function createAdmission(inFlightBytesMax: number): Admission {
  let inFlight = 0;
  let deliveries = 0;
  return {
    enter() {
      let share = 0;
      const grow = (bytes: number): boolean => {
        const wanted = headBytes + bytes;
        const more = wanted - share;
        if (more <= 0) return true;
        // A single delivery always fits, so that a small bound cannot refuse everything.
        if (deliveries > 1 && inFlight + more > inFlightBytesMax) return false;
        inFlight += more;
        share = wanted;
        return true;
      };
      deliveries += 1;
      const leave = (): void => {
        deliveries -= 1;
        inFlight -= share;
      };
      if (grow(0)) return { grow, leave };
      leave();
      return undefined;
    },
  };
}
