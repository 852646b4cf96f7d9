/** What every store does alike: the record of an event when it is born, and the bounds of a list. */

import type { ListQuery, NewEvent, TakeAsk } from "../contracts/store.ts";
import type { EventRecord } from "../model/event.ts";

const listLimitMax = 100;

/** Whether an event may be born claimed, when `claimed` others of its call were. */
export function isBornClaimed(event: NewEvent, ask: TakeAsk, claimed: number): boolean {
  const { source, quarantine } = event;
  return claimed < ask.claimMax && quarantine === undefined && ask.worked.includes(source);
}

/** The record of an event that is taken at `now`: `running` if it is born claimed, quarantined if it cannot be read. */
export function bornRecord(event: NewEvent, now: number, claimed: boolean): EventRecord {
  const { key, source, id, type, quarantine, occurredAt, delivery, copies, notes } = event;
  return {
    key,
    source,
    id,
    type,
    state: quarantine !== undefined ? "quarantined" : claimed ? "running" : "pending",
    reason: quarantine,
    occurredAt,
    receivedAt: delivery.receivedAt,
    dueAt: now,
    attempts: claimed ? 1 : 0,
    crashes: 0,
    duplicates: copies - 1,
    finished: [],
    history: [],
    notes,
  };
}

/** The variant of an event whose key is held by other bytes: kept under its own key, for a person to judge. */
export function variantOf(event: NewEvent, conflictKey: string): NewEvent {
  return { ...event, key: conflictKey, quarantine: "conflict" };
}

/** Rows of a page. */
export function limitOf({ limit = listLimitMax }: ListQuery): number {
  return Math.min(Math.max(1, Math.trunc(limit) || listLimitMax), listLimitMax);
}
