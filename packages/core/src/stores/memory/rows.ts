/** A row of the memory store, and what can be said of one. */

import type { Claim, ClaimAsk } from "../../contracts/store.ts";
import type { Delivery } from "../../model/delivery.ts";
import type { EventRecord } from "../../model/event.ts";
import { statesFor, type Act } from "../../model/intervention.ts";
import { stateAfter } from "../../model/transitions.ts";
import { cursorAt, waitsInLane, type Place } from "../records.ts";

export interface Row {
  event: EventRecord;
  /** Undefined once it was pruned or erased. */
  delivery: Delivery | undefined;
  contentHash: string;
  readonly seq: number;
  /** Its place in its lane. */
  lanePlace: number;
  fence: string | undefined;
  leaseEndsAt: number;
  /** Variants of this event with other bytes. */
  readonly variants: string[];
  conflicts: number;
}

export function claimRow(
  row: Row,
  delivery: Delivery,
  { fence, leaseMs }: ClaimAsk,
  now: number,
): Claim {
  const { attempts } = row.event;
  row.event = {
    ...row.event,
    state: "running",
    attempts: attempts + 1,
    crashes: crashesIfClaimed(row),
  };
  row.fence = fence;
  row.leaseEndsAt = now + leaseMs;
  return { event: row.event, delivery, fence };
}

/** Whether an act applies to a row: what has no delivery any more cannot be handled. */
export function isOpenTo({ event, delivery }: Row, act: Act): boolean {
  const isToBeHandled = stateAfter[act] === "pending";
  return statesFor[act].includes(event.state) && (delivery !== undefined || !isToBeHandled);
}

/** When a row may be claimed: when it is due, or when its lease has ended; undefined if never. */
export function claimableAt({ event, leaseEndsAt }: Row): number | undefined {
  if (event.state === "pending") return waitsInLane(event) ? undefined : event.dueAt;
  return event.state === "running" ? leaseEndsAt : undefined;
}

/** Whether its last worker died with it, or would have if this were asked a little later. */
export function isSuspect({ event }: Row): boolean {
  return event.crashes > 0 || event.state === "running";
}

/** Its crashes once it is claimed: a lease that has ended counts. */
export function crashesIfClaimed({ event: { crashes, state } }: Row): number {
  return state === "running" ? crashes + 1 : crashes;
}

/** Most crashes first, then those that were not replayed, then the oldest due. */
export function inOrder(a: Row, b: Row): number {
  return (
    b.event.crashes - a.event.crashes ||
    Number(a.event.replayed) - Number(b.event.replayed) ||
    (claimableAt(a) ?? 0) - (claimableAt(b) ?? 0) ||
    a.seq - b.seq
  );
}

const placeOfRow = (row: Row | Place): Place =>
  "event" in row ? { receivedAt: row.event.receivedAt, seq: row.seq } : row;

/** The order of lists, oldest first. */
export function byReceipt(a: Row | Place, b: Row | Place): number {
  const [one, other] = [placeOfRow(a), placeOfRow(b)];
  return one.receivedAt - other.receivedAt || one.seq - other.seq;
}

/** Where to go on behind the first `limit` of some rows; undefined where there are no more. */
export function cursorOf(rows: readonly Row[], limit: number): string | undefined {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return last === undefined ? undefined : cursorAt(placeOfRow(last));
}
