/**
 * Audata (audata.io). Facts and the example are from its page "Webhooks" (https://developer.audata.io/reference/webhooks)
 * unless another page is named. How it writes nested data into URL parameters is not documented, so all common ways are read.
 */

import * as z from "zod";
import type { Identification } from "../contracts/provider.ts";
import { queryOf, type Delivery } from "../model/delivery.ts";
import type { Note } from "../model/event.ts";
import { freshJson, idText, instantOf, isRecord, readJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { nest, pairsOf } from "./query.ts";

/** "The ID of the object / record": a number; text where it would not survive as a number (beyond 2^53, leading zeros). */
export type AudataId = number | string;

/** What every webhook of Audata carries, around the record in `sender`. */
export interface AudataCall<Record> {
  /** `RecordName.action`, such as `Listener.updated`; the same as the event's type. */
  readonly event: string;
  /** "The time the webhook call was sent as a ISO 8601 string", with its offset. Not the time of the change. */
  readonly sentAt?: string | null | undefined;
  /** "The unique subdomain of the station that sent the webhook." */
  readonly station?: string | null | undefined;
  readonly sender_id?: AudataId | null | undefined;
  /** The record. Empty when it did not arrive as one: what a deleted record carries is not documented. */
  readonly sender: Record;
  /** What came as `sender` when it was no record. */
  readonly senderText?: string | undefined;
  /** "A unique UUID for this webhook call which can be referenced in the webhook logs." */
  readonly webhookCallId?: AudataId | null | undefined;
  readonly [key: string]: unknown;
}

/**
 * A record of any kind. Every field may be absent: URL parameters cannot carry null, and which fields are sent is not
 * documented beyond one example.
 */
export interface AudataRecord {
  readonly id?: AudataId | undefined;
  readonly uuid?: string | null | undefined;
  readonly created_at?: string | null | undefined;
  readonly updated_at?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** Fields of the documented example, and of the page "Listeners". Texts such as `phone_number` keep their zeros. */
export interface AudataListener extends AudataRecord {
  readonly first_name?: string | null | undefined;
  readonly last_name?: string | null | undefined;
  readonly email?: string | null | undefined;
  /** `YYYY-MM-DD`. */
  readonly dob?: string | null | undefined;
  readonly station_id?: AudataId | null | undefined;
  readonly gender?: string | null | undefined;
  readonly address1?: string | null | undefined;
  readonly address2?: string | null | undefined;
  readonly suburb?: string | null | undefined;
  readonly postcode?: string | null | undefined;
  readonly phone_number?: string | null | undefined;
  readonly full_address?: string | null | undefined;
  readonly country?: string | null | undefined;
  readonly state?: string | null | undefined;
}

/** Fields of the page "Prizes". Decimals may come as text. */
export interface AudataPrize extends AudataRecord {
  readonly listener_id?: AudataId | null | undefined;
  readonly campaign_id?: AudataId | null | undefined;
  readonly status_id?: AudataId | null | undefined;
  readonly description?: string | null | undefined;
  /** `cash`, `inventory` or `list`. */
  readonly prize_type?: string | null | undefined;
  readonly cash_amount?: number | string | null | undefined;
  readonly value?: number | string | null | undefined;
  readonly confirmed_at?: string | null | undefined;
}

/** Event types of Audata with their data. Of its further record types none is documented to send webhooks. */
export type AudataEvents = {
  "Listener.created": AudataCall<AudataListener>;
  "Listener.updated": AudataCall<AudataListener>;
  "Listener.deleted": AudataCall<AudataListener>;
  "Prize.created": AudataCall<AudataPrize>;
  "Prize.updated": AudataCall<AudataPrize>;
  "Prize.deleted": AudataCall<AudataPrize>;
};

const id = z.union([z.number(), z.string()]);
const text = z.string().nullish();
const record = { id: id.optional(), uuid: text, created_at: text, updated_at: text };
const foreignId = id.nullish();
const decimal = z.union([z.number(), z.string()]).nullish();

const listener: z.ZodType<AudataListener> = z.looseObject({
  ...record,
  first_name: text,
  last_name: text,
  email: text,
  dob: text,
  station_id: foreignId,
  gender: text,
  address1: text,
  address2: text,
  suburb: text,
  postcode: text,
  phone_number: text,
  full_address: text,
  country: text,
  state: text,
});

const prize: z.ZodType<AudataPrize> = z.looseObject({
  ...record,
  listener_id: foreignId,
  campaign_id: foreignId,
  status_id: foreignId,
  description: text,
  prize_type: text,
  cash_amount: decimal,
  value: decimal,
  confirmed_at: text,
});

function call<Record>(sender: z.ZodType<Record>): z.ZodType<AudataCall<Record>> {
  return z.looseObject({
    event: z.string(),
    sentAt: text,
    station: text,
    sender_id: foreignId,
    sender,
    senderText: z.string().optional(),
    webhookCallId: foreignId,
  });
}

const listenerCall = call(listener);
const prizeCall = call(prize);

/**
 * A source of Audata, for GET and POST webhooks. Without a signature, an unguessable URL is what proves the sender: the
 * token is a path segment, or `?token=`.
 */
export const audata: SourceFactory<AudataEvents, "token"> = defineProvider({
  name: "audata",
  auth: ["token"],
  methods: ["GET", "POST"],
  tokenInQuery: true,
  // Records are about people, but for what tells them apart and when they changed.
  personal: [
    "*",
    "!event",
    "!sentAt",
    "!station",
    "!sender_id",
    "!webhookCallId",
    "!sender.id",
    "!sender.station_id",
    "!sender.listener_id",
    "!sender.campaign_id",
    "!sender.created_at",
    "!sender.updated_at",
  ],
  habits: {
    // Neither retries nor a response code are documented.
    redelivers: "unknown",
    bodyStable: true,
  },
  events: {
    "Listener.created": listenerCall,
    "Listener.updated": listenerCall,
    "Listener.deleted": listenerCall,
    "Prize.created": prizeCall,
    "Prize.updated": prizeCall,
    "Prize.deleted": prizeCall,
  },
  identify,
  parse: (delivery) =>
    normalise(delivery.method === "GET" ? repaired(parameters(delivery)) : freshJson(delivery)),
});

function identify(delivery: Delivery): Identification {
  let content: Readonly<Record<string, unknown>>;
  if (delivery.method === "GET") {
    content = repaired(parameters(delivery));
    // Browsers, link previews and health checks ask for the bare URL.
    if (!content["event"] && !content["webhookCallId"]) return { kind: "nothing" };
  } else {
    const body = readJson(delivery);
    if (!body.ok) return { kind: "unreadable", reason: body.reason };
    if (!isRecord(body.value)) return { kind: "unreadable", reason: "unidentified" };
    content = body.value;
  }
  const type = content["event"];
  if (typeof type !== "string" || type === "")
    return { kind: "unreadable", reason: "unidentified" };
  const notes: Note[] = hasNoRecord(content["sender"]) ? ["sender_unparsed"] : [];
  const occurredAt = instantOf(content["sentAt"]);
  const callId = idText(delivery, content, "webhookCallId");
  return { kind: "events", events: [{ id: callId, type, occurredAt, notes }] };
}

/** URL parameters without the token, which is no data. */
function parameters(delivery: Delivery): Record<string, unknown> {
  const query = queryOf(delivery.target)
    .replace(/^\?+/, "")
    .replace(/(^|&)token=\*\*\*\?/, "$1");
  return nest(pairsOf(query).filter(([name, value]) => name !== "token" || value !== "***"));
}

const instantNames: ReadonlySet<string> = new Set([
  "sentAt",
  "created_at",
  "updated_at",
  "paid_at",
  "confirmed_at",
]);

/**
 * What URL parameters took from the values, given back: ids as numbers where nothing is lost, the `+` of an offset that
 * was decoded as a space, a record that came as JSON in one parameter.
 */
function repaired(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const sender =
    typeof values["sender"] === "string" ? fromJson(values["sender"]) : values["sender"];
  return {
    ...repairedFields(values),
    ...(sender === undefined ? {} : { sender: isRecord(sender) ? repairedFields(sender) : sender }),
  };
}

function repairedFields(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, repairedField(name, value)]),
  );
}

function repairedField(name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (instantNames.has(name) && /T[\d:.]+ \d\d:?\d\d$/.test(value)) return value.replace(" ", "+");
  const isId = name === "id" || name.endsWith("_id");
  return isId && /^-?(?:0|[1-9]\d*)$/.test(value) && Number.isSafeInteger(Number(value))
    ? Number(value)
    : value;
}

function fromJson(value: string): unknown {
  if (!value.startsWith("{")) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** `sender` is a record for handlers, always; what came in its place stays readable beside it. */
function normalise(content: unknown): unknown {
  if (!isRecord(content) || isRecord(content["sender"])) return content;
  const { sender, ...rest } = content;
  return hasNoRecord(sender)
    ? {
        ...rest,
        sender: {},
        senderText: typeof sender === "string" ? sender : JSON.stringify(sender),
      }
    : { ...rest, sender: {} };
}

/** Whether something came as `sender` that is no record. Null and absence are what a deletion may send. */
function hasNoRecord(sender: unknown): boolean {
  return sender !== undefined && sender !== null && !isRecord(sender);
}
