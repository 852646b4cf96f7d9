/** Which events of a source wait for one another: as users say it, and as the inbox reads it. */

import type { Lane } from "../model/event.ts";

/** Options of a source. */
export interface LaneOptions<Event = LaneEvent> {
  /**
   * Events with the same key are handled one at a time, in the order in which they came, whichever instances handle them;
   * one that failed keeps those behind it waiting until its last attempt. Returns undefined for an event that waits for no
   * other. It runs before the delivery is answered, so it must be quick; where it throws the event is handled in no order,
   * and carries the note `lane_missing`.
   */
  orderBy?(event: Event): string | number | undefined | null;
  /**
   * What an event that is dead or quarantined does to those behind it: `skip` lets them go on, `block` keeps them waiting
   * until it is replayed, released, cancelled or erased. For `orderBy`. Default: `skip`.
   */
  readonly onDeadHead?: "skip" | "block";
  /**
   * At most `max` events with the same key are handled at a time, in no order, over all instances. Without `by` all events of
   * the source have the same key. Excludes `orderBy`.
   */
  readonly lanes?: {
    readonly max: number;
    by?(event: Event): string | number | undefined | null;
  };
}

/** The options once they are checked. */
export interface LaneRule extends Pick<Lane, "isOrdered" | "max"> {
  /** The user's key of an event; undefined for one that waits for no other. May throw. */
  readonly keyOf: (event: LaneEvent) => unknown;
  /** Whether one that is dead or quarantined keeps those behind it waiting. */
  readonly blocks: boolean;
}

/** An event as `orderBy` and `lanes.by` see it. */
export interface LaneEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly id: string;
  /** As the provider sent it: its schema is applied later. */
  readonly data: Data;
  /** Of a source that is looked up: whose event it is. Equal keys of two accounts are two. */
  readonly account: string | undefined;
}
