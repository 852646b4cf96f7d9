/** What a delivery says: which events it holds, and their data, parsed by the provider and checked by the schema. */

import type { Schema, SchemaIssue, SchemaResult } from "../contracts/schema.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim } from "../contracts/store.ts";
import type { Delivery } from "../model/delivery.ts";
import type { NewEvent, Note, QuarantineReason } from "../model/event.ts";
import type { Later } from "../later.ts";
import type { NoteDrift } from "./drift.ts";
import type { WebhookEvent } from "./handlers.ts";

/** What happens to data that does not fit the schema of its type. */
export type OnInvalid = "quarantine" | "handle";

export interface Unreadable {
  readonly kind: "unreadable";
  readonly reason: QuarantineReason;
  /** What the parser or the schema says. Kept with the event: it may quote the payload. */
  readonly error: unknown;
}

export interface Readable {
  readonly kind: "readable";
  readonly data: unknown;
  /** False where the data does not fit its schema, and handlers get it all the same. */
  readonly isValid: boolean;
}

/** Says which events a delivery holds. */
export type Identify = (
  source: ConfiguredSource,
  delivery: Delivery,
) =>
  | { readonly kind: "events"; readonly events: readonly NewEvent[] }
  | { readonly kind: "unreadable"; readonly event: NewEvent }
  | { readonly kind: "nothing" };

/** Parses and validates, for one handler: what it does to its data reaches nobody else. */
export function readData(
  { event, delivery }: Pick<Claim, "event" | "delivery">,
  { provider, events }: ConfiguredSource,
  onInvalid: OnInvalid,
  noteDrift: NoteDrift,
): Later<Readable | Unreadable> {
  let parsed: unknown;
  const invalid = (error: unknown): Readable | Unreadable =>
    onInvalid === "handle"
      ? { kind: "readable", data: parsed, isValid: false }
      : { kind: "unreadable", reason: "invalid", error };
  try {
    parsed = provider.parse(delivery, event);
  } catch (error) {
    return { kind: "unreadable", reason: "unparsable", error };
  }
  const schema: Schema | undefined = Object.hasOwn(events, event.type)
    ? events[event.type]
    : undefined;
  if (schema === undefined) return { kind: "readable", data: parsed, isValid: true };
  const judged = (checked: SchemaResult<unknown>): Readable | Unreadable => {
    if (checked.issues === undefined) {
      return { kind: "readable", data: checked.value, isValid: true };
    }
    noteDrift(event, checked.issues, parsed, schema);
    return invalid(new Error(checked.issues.map(issueText).join("; ")));
  };
  try {
    const checked = schema["~standard"].validate(parsed);
    if (!("then" in checked)) return judged(checked);
    return Promise.resolve(checked).then(judged).catch(invalid);
  } catch (error) {
    return invalid(error);
  }
}

/** An event as handlers get it. */
export function eventOf(
  { event, delivery }: Pick<Claim, "event" | "delivery">,
  { data, isValid }: Readable,
): WebhookEvent {
  const { key, source, type, id, occurredAt, receivedAt, notes } = event;
  const all: readonly Note[] = isValid ? [...notes] : [...notes, "data_invalid"];
  const { account } = delivery;
  return { key, source, account, type, id, data, occurredAt, receivedAt, notes: all };
}

function issueText({ message, path = [] }: SchemaIssue): string {
  const names = path.map((part) => String(typeof part === "object" ? part.key : part));
  return names.length === 0 ? message : `${names.join(".")}: ${message}`;
}
