/** Reads a delivery's content as text and JSON. Bytes that cannot be read so are a reason for quarantine, never guessed. */

import type { Delivery } from "../model/delivery.ts";
import { headerOf, queryOf } from "../model/delivery.ts";
import type { QuarantineReason } from "../model/event.ts";
import { formPairsOf, pairsOf } from "./query.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Parsed before the acknowledgement, and handed to the first handler, so that most bodies are parsed once. */
const parsed = new WeakMap<Delivery, unknown>();

/** What a body says, or why it cannot be read. */
export type Content =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: QuarantineReason };

/** The body as JSON, or why it is not. The byte order mark is skipped, as RFC 8259 allows. */
export function readJson(delivery: Delivery): Content {
  const coding = headerOf(delivery.headers, "content-encoding") ?? "";
  if (coding !== "" && coding.toLowerCase() !== "identity" && !delivery.reconstructed) {
    return { ok: false, reason: "coding" };
  }
  if (delivery.body.length === 0) return { ok: false, reason: "empty" };
  if (parsed.has(delivery)) return { ok: true, value: parsed.get(delivery) };
  try {
    const value: unknown = JSON.parse(utf8.decode(delivery.body));
    parsed.set(delivery, value);
    return { ok: true, value };
  } catch {
    return { ok: false, reason: "unparsable" };
  }
}

/** The body as JSON, fresh at each call: a handler that changes its data changes nobody else's. Throws if unreadable. */
export function freshJson(delivery: Delivery): unknown {
  if (parsed.has(delivery)) {
    const value = parsed.get(delivery);
    parsed.delete(delivery);
    return value;
  }
  return JSON.parse(utf8.decode(delivery.body));
}

/** A form's fields, those of its body or of the query of a GET; of a name that repeats the last. */
export function readForm(delivery: Delivery): Content {
  if (delivery.method === "GET") {
    return { ok: true, value: Object.fromEntries(pairsOf(queryOf(delivery.target))) };
  }
  if (delivery.body.length === 0) return { ok: false, reason: "empty" };
  try {
    const pairs = formPairsOf(utf8.decode(delivery.body));
    if (pairs !== undefined) return { ok: true, value: Object.fromEntries(pairs) };
  } catch {
    // No UTF-8.
  }
  return { ok: false, reason: "unparsable" };
}

/**
 * A form, of a GET or by its content type, or JSON. What begins like JSON is JSON whatever its type says: the type is not
 * signed, and must not make something else of a body that is.
 */
export function readFormOrJson(delivery: Delivery): Content {
  return isForm(delivery) ? readForm(delivery) : readJson(delivery);
}

/** JSON, which may also stand in the field `payload` of a form; a form without that field as it is. */
export function readPayloadOrJson(delivery: Delivery): Content {
  if (!isForm(delivery)) return readJson(delivery);
  const read = readForm(delivery);
  const payload = read.ok && isRecord(read.value) ? read.value["payload"] : undefined;
  if (typeof payload !== "string") return read;
  try {
    return { ok: true, value: JSON.parse(payload) as unknown };
  } catch {
    return { ok: false, reason: "unparsable" };
  }
}

function isForm({ method, headers, body }: Delivery): boolean {
  if (method === "GET") return true;
  const type = headerOf(headers, "content-type") ?? "";
  const begin = Buffer.from(body.subarray(0, 64)).toString("latin1");
  return /^application\/x-www-form-urlencoded\b/i.test(type) && !/^\s*[[{]/.test(begin);
}

/** Whether a value is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A field as the text of an id: a string that is not empty, or a number. Parsing takes the last digits of a number
 * beyond 2^53, and two events would become one: then its source text is the id.
 */
export function idText(
  delivery: Delivery,
  record: Readonly<Record<string, unknown>>,
  name: string,
): string | undefined {
  const value = record[name];
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value !== "number") return undefined;
  return Number.isSafeInteger(value)
    ? String(value)
    : (sourceOf(delivery, record, name) ?? String(value));
}

/** The body as JSON with numbers beyond 2^53 as their digits: for ids that are made of content. */
export function exactJson(delivery: Delivery): unknown {
  const text = utf8.decode(delivery.body);
  const exact: SourceReviver = (_, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) ? (source ?? value) : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

type SourceReviver = (
  this: unknown,
  key: string,
  value: unknown,
  context: { readonly source?: string },
) => unknown;

/** The digits of a number as they were sent: those of the one record that looks like this one. */
function sourceOf(
  delivery: Delivery,
  record: Readonly<Record<string, unknown>>,
  name: string,
): string | undefined {
  const names = Object.keys(record).join();
  let source: string | undefined;
  const remember: SourceReviver = function remember(key, value, context) {
    const isIt = key === name && value === record[name] && isRecord(this);
    if (isIt && Object.keys(this).join() === names) ({ source } = context);
    return value;
  };
  JSON.parse(utf8.decode(delivery.body), remember as (key: string, value: unknown) => unknown);
  return source;
}

/** The instant of an ISO 8601 text, in milliseconds since 1970; undefined for anything else. */
export function instantOf(value: unknown): number | undefined {
  if (typeof value !== "string") return undefined;
  const instant = Date.parse(value);
  return Number.isNaN(instant) ? undefined : instant;
}
