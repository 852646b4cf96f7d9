/** Reads a delivery's content as text and JSON. Bytes that cannot be read so are a reason for quarantine, never guessed. */

import type { Delivery } from "../model/delivery.ts";
import { headerOf } from "../model/delivery.ts";
import type { QuarantineReason } from "../model/event.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Parsed before the acknowledgement, and handed to the first handler, so that most bodies are parsed once. */
const parsed = new WeakMap<Delivery, unknown>();

/** The body as JSON, or why it is not. The byte order mark is skipped, as RFC 8259 allows. */
export function readJson(
  delivery: Delivery,
):
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: QuarantineReason } {
  const coding = headerOf(delivery.headers, "content-encoding") ?? "";
  if (coding !== "" && coding.toLowerCase() !== "identity" && !delivery.reconstructed) {
    return { ok: false, reason: "coding" };
  }
  if (delivery.body.length === 0) return { ok: false, reason: "empty" };
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
