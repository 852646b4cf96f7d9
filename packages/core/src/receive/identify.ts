/** From a delivery to the events that it holds: no more of each than its custody needs. */

import type { Identification, Identity } from "../contracts/provider.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import { sha256Hex } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import { eventKey } from "../event-key.ts";
import type { Lane, NewEvent, Note, QuarantineReason } from "../model/event.ts";

/** A larger body is read by a worker: parsing it here would keep other answers waiting. */
const identifiedBytesMax = 262_144;

/** Content without an id of its own counts as the same event within this time. */
const bucketMs = 600_000;
/** What stands for the secret that matched, on a source without a credential. */
export const unverified = "none";
const idCharactersMax = 255;
const typeCharactersMax = 255;

/** What a delivery says, for custody. `unreadable` still holds one event: the delivery itself, to be quarantined. */
export function identify(
  source: ConfiguredSource,
  delivery: Delivery,
):
  | { readonly kind: "events"; readonly events: readonly NewEvent[] }
  | { readonly kind: "unreadable"; readonly event: NewEvent }
  | { readonly kind: "nothing" } {
  const found = identified(source, delivery);
  if (found.kind === "nothing") return found;
  if (found.kind === "unreadable") {
    return { kind: "unreadable", event: unidentified(source, delivery, found.reason) };
  }
  if (found.events.length === 0) return { kind: "nothing" };
  return {
    kind: "events",
    events: found.events.map((identity, index) => newEvent(source, delivery, identity, index)),
  };
}

/** Whether a delivery is too large to be read before its sender is answered. */
export function isReadLate({ lane }: ConfiguredSource, { body, verifiedWith }: Delivery): boolean {
  // Where events wait for one another their order is that of arrival.
  if (lane !== undefined) return false;
  return body.length > identifiedBytesMax && verifiedWith !== unverified;
}

/** The events that an authentic delivery is kept as; always the same ones. */
export function eventsOf(source: ConfiguredSource, delivery: Delivery): readonly NewEvent[] {
  return isReadLate(source, delivery)
    ? [unidentified(source, delivery, undefined)]
    : readNow(source, delivery);
}

/** The events that a delivery turns out to hold, however large it is. */
export function readNow(source: ConfiguredSource, delivery: Delivery): readonly NewEvent[] {
  const found = identify(source, delivery);
  if (found.kind === "nothing") return [];
  return found.kind === "events" ? found.events : [found.event];
}

/** Providers are written by strangers: whatever one does, an authentic delivery is kept. */
function identified(source: ConfiguredSource, delivery: Delivery): Identification {
  try {
    const found = source.provider.identify(delivery);
    const isWellFormed =
      found.kind === "events"
        ? Array.isArray(found.events) && found.events.every(({ type }) => typeof type === "string")
        : found.kind === "nothing" || found.kind === "unreadable";
    if (isWellFormed) return found;
  } catch {
    // Falls through: what cannot be identified is kept as such.
  }
  return { kind: "unreadable", reason: "unidentified" };
}

/** The delivery itself as an event, to be read later; `quarantine` says why it was not possible now. */
export function unidentified(
  source: ConfiguredSource,
  delivery: Delivery,
  quarantine: QuarantineReason | undefined,
): NewEvent {
  const unlaned = { ...source, lane: undefined };
  const event = newEvent(unlaned, delivery, { id: undefined, type: "" }, unidentifiedIndex);
  const unread = { ...event, identified: false, quarantine, notes: notesOf(delivery, []) };
  if (quarantine !== undefined) return unread;
  // It is yet to be read, and what tells it from another may stand beside its body.
  const lines = delivery.headers.filter((_, index) => !isOfConnection(delivery.headers, index));
  const beside = sha256Hex([event.key, delivery.target, ...lines].join("\n"));
  const key = eventKey(source.name, beside);
  return { ...unread, key, conflictKey: undefined };
}

/** Whether a line, or its name, is about the way that a delivery took and not about what it says. */
function isOfConnection(headers: readonly string[], index: number): boolean {
  const name = headers[index - (index % 2)]?.toLowerCase();
  return name === "host" || name === "connection";
}

/** Told from every event that the delivery may turn out to hold. */
const unidentifiedIndex = -1;

function newEvent(
  source: ConfiguredSource,
  delivery: Delivery,
  identity: Identity,
  index: number,
): NewEvent {
  const { type } = identity;
  const id = idOf(identity.id);
  const content = byContent(source, delivery, type, index);
  const shown = id ?? content.shown;
  const keyId = source.dedup === "body" ? content.keyId : (id ?? content.keyId);
  const scope = delivery.account === undefined ? source.name : `${source.name}/${delivery.account}`;
  const lane = laneOf(source, scope, delivery, { id: shown, type });
  return {
    // The key is made from the whole id: two long ids that begin alike stay two events.
    key: eventKey(scope, keyId),
    source: source.name,
    id: printable(shown, idCharactersMax),
    type: printable(type, typeCharactersMax),
    identified: true,
    occurredAt: instantOf(identity.occurredAt),
    notes: notesOf(delivery, [
      ...(identity.notes ?? []),
      ...(id === undefined ? ["id_missing" as const] : []),
      ...(lane === "missing" ? ["lane_missing" as const] : []),
    ]),
    ...(lane === undefined || lane === "missing" ? {} : { lane }),
    quarantine: undefined,
    delivery,
    copies: 1,
    // Hardly ever asked for, so it is made when it is.
    get conflictKey() {
      const isStable = source.provider.habits.bodyStable;
      return isStable ? eventKey(scope, `${keyId}\0${delivery.contentHash}`) : undefined;
    },
  };
}

/** Whom an event waits for; `missing` where the user's function has thrown, or answered something else. */
function laneOf(
  { provider, lane }: ConfiguredSource,
  scope: string,
  delivery: Delivery,
  identity: { readonly id: string; readonly type: string },
): Lane | "missing" | undefined {
  if (lane === undefined) return undefined;
  try {
    const data = provider.parse(delivery, identity);
    const key = lane.keyOf({ ...identity, data, account: delivery.account });
    if (key === undefined || key === null) return undefined;
    if (typeof key !== "string" && typeof key !== "number") return "missing";
    const { isOrdered, max } = lane;
    return { key: eventKey(`lanes of ${scope}`, String(key)), isOrdered, max };
  } catch {
    return "missing";
  }
}

/** An id as text; undefined where there is none. */
function idOf(id: unknown): string | undefined {
  if (typeof id === "number") return String(id);
  return typeof id === "string" && id !== "" ? id : undefined;
}

/**
 * Without an id, an event is known by all that tells it from others, within the same ten minutes of the clock. Where the body alone is to tell,
 * it is known by that, for good: what stands beside the body may be anybody's.
 */
function byContent(
  { dedup }: ConfiguredSource,
  { contentHash, segment = "", receivedAt }: Delivery,
  type: string,
  index: number,
): { readonly keyId: string; readonly shown: string } {
  const shown = `sha256:${contentHash}`;
  if (dedup === "body") return { shown, keyId: [shown, index].join("\0") };
  const bucket = Math.floor(receivedAt / bucketMs);
  return { shown, keyId: [shown, bucket, segment, type, index].join("\0") };
}

/** What a store can hold and a date can be; undefined for anything else. */
function instantOf(value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(new Date(value).getTime())) return undefined;
  return Math.trunc(value);
}

function notesOf(delivery: Delivery, notes: readonly Note[]): readonly Note[] {
  return delivery.reconstructed ? [...notes, "body_reconstructed"] : notes;
}

/** Text that every store can hold: no NUL, no lone surrogates, bounded. */
function printable(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll("\0", "\uFFFD").toWellFormed();
}
