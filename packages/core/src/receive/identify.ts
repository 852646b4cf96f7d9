/** From a verified request to what is kept of it: the delivery without its credentials, and the events it holds. */

import type { Identity } from "../contracts/provider.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { NewEvent } from "../contracts/store.ts";
import { sha256 } from "../hash.ts";
import { queryOf, type Delivery, type DeliveryHead } from "../model/delivery.ts";
import { eventKey } from "../event-key.ts";
import type { Note, QuarantineReason } from "../model/event.ts";

/** Content without an id of its own counts as the same event within this time. */
const bucketMs = 600_000;
const idCharactersMax = 255;
const typeCharactersMax = 255;

/** Headers that carry credentials of other parties, whatever the source. */
const alwaysSecret: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
]);

/** The delivery as it is stored. `target` has lost its token already. */
export function deliveryOf(
  source: ConfiguredSource,
  head: DeliveryHead,
  read: Pick<
    Delivery,
    "target" | "segment" | "body" | "reconstructed" | "verifiedWith" | "receivedAt"
  >,
): Delivery {
  const query = queryOf(read.target).replace(/(^|&)token=\*\*\*[&?]?/, "$1");
  const contentHash = sha256(query, "\0", read.body).toString("hex");
  return {
    method: head.method,
    headers: withoutCredentials(head.headers, source.secretHeaders),
    contentHash,
    ...read,
  };
}

function withoutCredentials(
  headers: readonly string[],
  secret: ReadonlySet<string>,
): readonly string[] {
  return headers.map((text, index) => {
    if (index % 2 === 0) return text;
    const name = headers[index - 1]?.toLowerCase() ?? "";
    return alwaysSecret.has(name) || secret.has(name) ? "***" : text;
  });
}

/** What a delivery says, for custody. `unreadable` still holds one event: the delivery itself, to be quarantined. */
export function identify(
  source: ConfiguredSource,
  delivery: Delivery,
):
  | { readonly kind: "events"; readonly events: readonly NewEvent[] }
  | { readonly kind: "unreadable"; readonly event: NewEvent }
  | { readonly kind: "nothing" } {
  const found = source.provider.identify(delivery);
  switch (found.kind) {
    case "nothing":
      return found;
    case "unreadable":
      return {
        kind: "unreadable",
        event: newEvent(source, delivery, { id: undefined, type: "" }, found.reason),
      };
    case "events":
      return {
        kind: "events",
        events: found.events.map((identity) => newEvent(source, delivery, identity, undefined)),
      };
  }
}

function newEvent(
  source: ConfiguredSource,
  delivery: Delivery,
  identity: Identity,
  quarantine: QuarantineReason | undefined,
): NewEvent {
  const byHash = identity.id === undefined;
  const hashId = `sha256:${delivery.contentHash}`;
  const bucket = Math.floor(delivery.receivedAt / bucketMs);
  // The key is made from the whole id: two long ids that begin alike stay two events.
  const keyId = byHash ? `${hashId}@${bucket}` : identity.id;
  const notes: Note[] = [...(identity.notes ?? [])];
  if (byHash && quarantine === undefined) notes.push("id_missing");
  if (delivery.reconstructed) notes.push("body_reconstructed");
  return {
    key: eventKey(source.name, keyId),
    source: source.name,
    id: printable(byHash ? hashId : identity.id, idCharactersMax),
    type: printable(identity.type, typeCharactersMax),
    occurredAt: identity.occurredAt,
    notes,
    quarantine,
    delivery,
    copies: 1,
    conflictKey: source.provider.habits.bodyStable
      ? eventKey(source.name, `${keyId}\0${delivery.contentHash}`)
      : undefined,
  };
}

/** Text that every store can hold: no NUL, no lone surrogates, bounded. */
function printable(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll("\0", "\uFFFD").toWellFormed();
}
