/**
 * What every store does alike, for those who write one: who may be claimed, what an event is when it is born and after an
 * act, bounds of pages, deadlines.
 *
 * @module @webhook-inbox/core/records
 */

import type {
  ClaimTerms,
  EventFilter,
  InterveneAsk,
  ListQuery,
  PruneAsk,
  Tally,
} from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import type { Delivery, Sealed } from "../model/delivery.ts";
import { forever, type EventRecord, type EventState, type NewEvent } from "../model/event.ts";
import type { Outcome, Settlement } from "../model/settlement.ts";
import { stateAfter } from "../model/transitions.ts";

export { refuseUnknown } from "../errors.ts";
export { everyState, forever } from "../model/event.ts";
export {
  claimLost,
  committed,
  inTime,
  isSpoiler,
  spoils,
  Undone,
  type Committing,
} from "./calls.ts";
export { Lending } from "./lending.ts";
export { Owners } from "./owners.ts";

const listLimitMax = 100;
const interventionsKept = 20;
const minuteMs = 60_000;
/** Milliseconds of an hour. */
export const hourMs = 3_600_000;
const minutesKeptMs = 48 * hourMs;

/** What a claim may still give away: slots by source, and by type where that is bounded. */
export class Room {
  // Names of types are the sender's words: `constructor` is one of them.
  readonly #slots: Map<string, number>;
  readonly #types: Map<string, Map<string, number>>;

  constructor({ slots, typesMax = {} }: Pick<ClaimTerms, "slots" | "typesMax">) {
    this.#slots = new Map(Object.entries(slots));
    this.#types = new Map(
      Object.entries(typesMax).map(([source, types]) => [source, new Map(Object.entries(types))]),
    );
  }

  /** How many of a type may still be given. */
  left(source: string, type: string): number {
    const ofType = this.#types.get(source)?.get(type) ?? Infinity;
    return Math.max(0, Math.min(this.#slots.get(source) ?? 0, ofType));
  }

  use(source: string, type: string): void {
    this.#slots.set(source, (this.#slots.get(source) ?? 0) - 1);
    const types = this.#types.get(source);
    const left = types?.get(type);
    if (left !== undefined) types?.set(type, left - 1);
  }

  /** Whether events of a source are told apart by their types. */
  isLimited(source: string): boolean {
    return (this.#types.get(source)?.size ?? 0) > 0;
  }

  /** Whether none of a type may be given, however many slots there are. */
  isFull(source: string, type: string): boolean {
    return (this.#types.get(source)?.get(type) ?? 1) <= 0;
  }
}

/** Whether an event may be born claimed; if so its slot is used. */
export function isBornClaimed(event: NewEvent, room: Room): boolean {
  const { source, type, quarantine, refused, lane, dueAfterMs = 0 } = event;
  const isKeptBack = quarantine !== undefined || refused !== undefined;
  const hasToWait = isKeptBack || lane !== undefined || dueAfterMs > 0;
  if (hasToWait || room.left(source, type) === 0) return false;
  room.use(source, type);
  return true;
}

function bornState({ quarantine, refused }: NewEvent, claimed: boolean): EventState {
  if (quarantine !== undefined) return "quarantined";
  if (refused !== undefined) return "refused";
  return claimed ? "running" : "pending";
}

/** The record of an event that is taken at `now`: `running` if it is born claimed, quarantined if it cannot be read. */
export function bornRecord(event: NewEvent, now: number, claimed: boolean): EventRecord {
  const { key, source, id, type, identified, quarantine, occurredAt, delivery, copies, notes } =
    event;
  return {
    key,
    source,
    id,
    type,
    identified,
    state: bornState(event, claimed),
    reason: quarantine ?? event.refused,
    occurredAt,
    receivedAt: delivery.receivedAt,
    dueAt: event.lane === undefined ? now + (event.dueAfterMs ?? 0) : forever,
    lane: event.lane && { ...event.lane, isHead: false },
    replayed: false,
    generation: 0,
    attempts: claimed ? 1 : 0,
    crashes: 0,
    duplicates: copies - 1,
    finished: [],
    gaveUp: [],
    history: [],
    interventions: [],
    notes,
  };
}

/** The variant of an event whose key is held by other bytes: kept under its own key, for a person to judge. */
export function variantOf(event: NewEvent, conflictKey: string): NewEvent {
  return { ...event, key: conflictKey, quarantine: "conflict" };
}

/** Whether a delivery says what is held under its key already. */
export function isSameContent(held: string, given: string): boolean {
  return held === given || held === "";
}

/** What an event is after an act of a person at `now`; `dueAt` matters where it is to be handled. */
export function actedOn(
  event: EventRecord,
  { act, by, reason, rerun = false }: InterveneAsk,
  now: number,
  dueAt: number,
): EventRecord {
  const isErased = act === "erase";
  const acted: EventRecord = {
    ...event,
    state: stateAfter[act],
    reason: undefined,
    interventions: [...event.interventions, { act, at: now, by, reason }].slice(-interventionsKept),
    ...(isErased ? { id: "", occurredAt: undefined, history: [] } : {}),
  };
  if (isErased) return { ...acted, lane: undefined };
  if (act === "cancel") return leftLane(acted);
  const waits = waitsInLane(event) || joinsLane(event);
  return {
    ...acted,
    dueAt: waits ? forever : dueAt,
    attempts: 0,
    crashes: 0,
    gaveUp: [],
    replayed: event.replayed || act === "replay",
    generation: rerun ? event.generation + 1 : event.generation,
    finished: rerun ? [] : event.finished,
  };
}

/** Whether an event waits behind others of its lane. */
export function waitsInLane({ state, dueAt }: Pick<EventRecord, "state" | "dueAt">): boolean {
  return state === "pending" && dueAt >= forever;
}

/** Whether an event that is to be handled again takes a new place in its lane, the last one, and waits there. */
export function joinsLane({ lane, state }: EventRecord): boolean {
  return lane !== undefined && !lane.isHead && state !== "pending";
}

function leftLane(event: EventRecord): EventRecord {
  return { ...event, lane: event.lane && { ...event.lane, isHead: false } };
}

/**
 * Of an event with a lane whose attempt has ended: whether it heads its lane still. Then stores let others become heads, in
 * the order of their places, until the lane has as many as its first one says; each is due at once.
 */
export function headsAfter(
  { isOrdered, isHead }: NonNullable<EventRecord["lane"]>,
  { outcome, holdsLane = false }: Pick<Settlement, "outcome" | "holdsLane">,
): boolean {
  if (outcome.state !== "pending") return holdsLane;
  return isOrdered || (isHead && outcome.handedBack);
}

/** Of the same: whether it waits in its place again, because it had come up without being among the heads. */
export function waitsAfter(
  { isHead }: NonNullable<EventRecord["lane"]>,
  outcome: Outcome,
): boolean {
  return outcome.state === "pending" && outcome.handedBack && !isHead;
}

/** Whether an event is one of those that a filter asks for. */
export function matches(event: EventRecord, filter: EventFilter): boolean {
  const { receivedFrom = -Infinity, receivedBefore = Infinity } = filter;
  return (
    (["source", "type", "state", "reason"] as const).every(
      (name) => filter[name] === undefined || filter[name] === event[name],
    ) &&
    event.receivedAt >= receivedFrom &&
    event.receivedAt < receivedBefore
  );
}

/** Where an event stands in lists: they are in the order of receipt, and of arrival where that is equal. */
export interface Place {
  readonly receivedAt: number;
  readonly seq: number;
}

/** The text of a cursor that goes on behind a place. */
export const cursorAt = ({ receivedAt, seq }: Place): string => `${receivedAt}.${seq}`;

/**
 * The place that a page begins behind: that of the cursor, or the bound of the time that is asked for, so that nobody walks
 * there row by row. Throws for a text that is no cursor.
 */
export function placeOf(cursor: string | undefined, isUp: boolean, filter: EventFilter): Place {
  const { receivedFrom = -forever, receivedBefore = forever } = filter;
  const bound = { receivedAt: isUp ? receivedFrom : receivedBefore, seq: -forever };
  if (cursor === undefined) return bound;
  const [, receivedAt, seq] = /^(-?\d{1,16})\.(-?\d{1,16})$/.exec(cursor) ?? [];
  if (receivedAt === undefined || seq === undefined) throw badCursor();
  const place = { receivedAt: Number(receivedAt), seq: Number(seq) };
  const isBeyond = isUp
    ? place.receivedAt < bound.receivedAt
    : place.receivedAt >= bound.receivedAt;
  return isBeyond ? bound : place;
}

/** What only some deliveries have: what they are sealed with, kept as JSON, and their trace. */
export function rareIn(sealed: unknown, trace: unknown): Pick<Delivery, "sealed" | "trace"> {
  return {
    ...(typeof sealed === "string" ? { sealed: JSON.parse(sealed) as Sealed } : {}),
    ...(typeof trace === "string" ? { trace } : {}),
  };
}

/** A list that is kept as JSON. Most are empty. */
export const listOf = (text: string): readonly unknown[] =>
  text === "[]" ? [] : (JSON.parse(text) as unknown[]);

/** A list as the text that stores keep. */
export const listText = (list: readonly unknown[]): string =>
  list.length === 0 ? "[]" : JSON.stringify(list);

/** For a cursor that is none of an earlier answer. */
export function badCursor(): WebhookInboxError {
  return new WebhookInboxError(
    "SELECTION_INVALID",
    "the cursor is not one of an earlier answer of this store.",
  );
}

/** Rows of a page. */
export function limitOf({ limit = listLimitMax }: ListQuery): number {
  return Math.min(Math.max(1, Math.trunc(limit) || listLimitMax), listLimitMax);
}

/** A transition to be tallied. */
export type Move = Pick<Tally, "source" | "type" | "from" | "to">;

/** Counts what happens in one transaction: one row for each way and minute, whatever the number of events. */
export class Moves {
  /** Lanes in which others may be heads now: seen to at the end, when all are where they belong. */
  readonly lanes: Set<string> = new Set();
  readonly #counts = new Map<string, { readonly move: Move; count: number }>();

  add(move: Move, count = 1): void {
    const { source, type, from, to } = move;
    const name = `${source}\0${from}\0${to}\0${type}`;
    const held = this.#counts.get(name);
    if (held === undefined) this.#counts.set(name, { move, count });
    else held.count += count;
  }

  touch(lane: string | undefined): void {
    if (lane !== undefined) this.lanes.add(lane);
  }

  /** The rows of the minute of `now`. */
  tallies(now: number): readonly Tally[] {
    const at = now - (now % minuteMs);
    return [...this.#counts.values()].map(({ move, count }) => ({ at, ...move, count }));
  }
}

/** How tallies are kept: by the minute for two days, by the hour as long as keys are kept, and what is older as one. */
export function tallyBounds(
  { keyMs }: PruneAsk,
  now: number,
): { readonly hoursBefore: number; readonly oneBefore: number } {
  const hoursBefore = floorTo(now - minutesKeptMs, hourMs);
  return {
    hoursBefore,
    oneBefore: Math.min(hoursBefore, floorTo(Math.max(0, now - keyMs), hourMs)),
  };
}

/** The beginning of the step that an instant is in; 0 where there is but one. */
export function floorTo(at: number, stepMs: number): number {
  return Number.isFinite(stepMs) ? Math.max(0, at - (at % stepMs)) : 0;
}
