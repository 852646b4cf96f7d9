/** What people see of an event: all that is not personal. What is, by its provider's word, stands as `***`. */

import type { Kept } from "../contracts/store.ts";
import { headerOf, queryOf, type Delivery } from "../model/delivery.ts";
import type { EventRecord } from "../model/event.ts";
import type { Verdict } from "../model/verdict.ts";

/** An event as people may look at it. */
export interface EventView {
  /** Messages of failed attempts quote nothing that is masked below. */
  readonly event: EventRecord;
  /** Undefined when it was pruned or erased. */
  readonly delivery: DeliveryView | undefined;
  /**
   * Of a refused delivery: what verifying it says, as of its arrival, with the credentials that its source has now. Undefined
   * where it cannot be verified: its source is gone, asks for no credential, or the bytes are gone.
   */
  readonly verdict: Verdict | undefined;
}

/** A delivery for people: what is personal is masked. */
export interface DeliveryView {
  readonly method: string;
  /** The path, with `***` for its token and its query. */
  readonly target: string;
  readonly account: string | undefined;
  /** Name and value; the values of headers that are not known to be harmless are masked. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The body's JSON or form, or the query of a GET, masked; undefined for a body that cannot be read as either. */
  readonly content: unknown;
  readonly bodyBytes: number;
  readonly reconstructed: boolean;
  readonly verifiedWith: string;
  readonly receivedAt: number;
}

const masked = "***";
const everything = ["*"];

/** Headers that say nothing about persons. */
const harmless =
  /^(?:host|accept|content-type|content-length|content-encoding|date|user-agent|.*-(?:event|topic|delivery|timestamp|event-id|webhook-id|message-type|api-version))$/i;

/** `personal` is the provider's: paths, those with `!` before them excepted. */
export function viewOf(
  { event, delivery }: Kept,
  personal: readonly string[] = everything,
  verdict?: Verdict,
): EventView {
  if (delivery === undefined) {
    return { event: withoutQuotes(event, []), delivery: undefined, verdict };
  }
  const hidden: string[] = [];
  // What nobody could read holds its persons in other places than those that are known.
  const isKnown = event.identified && event.reason !== "unidentified";
  const content = contentOf(delivery, masking(isKnown ? personal : everything, hidden));
  const { method, target, account, headers, body, reconstructed, verifiedWith, receivedAt } =
    delivery;
  return {
    event: withoutQuotes(event, content === undefined ? undefined : hidden),
    verdict,
    delivery: {
      method,
      target: target.replace(/\?[^]*$/, `?${masked}`),
      account,
      headers: headers.flatMap((name, index) =>
        index % 2 === 0 ? [[name, harmless.test(name) ? (headers[index + 1] ?? "") : masked]] : [],
      ),
      content,
      bodyBytes: body.length,
      reconstructed,
      verifiedWith,
      receivedAt,
    },
  };
}

/** Shorter texts stand in messages by chance. */
const quotedCharactersMin = 4;
/** Of more texts than this nobody looks for each in every message: the messages go. */
const quotedMax = 1000;

/** A message may quote what is masked; where the content cannot be read nobody knows, and the messages go. */
function withoutQuotes(event: EventRecord, hidden: readonly string[] | undefined): EventRecord {
  const texts = new Set(hidden?.filter((text) => text.length >= quotedCharactersMin));
  const quoted = hidden === undefined || texts.size > quotedMax ? undefined : [...texts];
  const clean = (message: string): string =>
    quoted === undefined
      ? masked
      : quoted.reduce((text, one) => text.replaceAll(one, masked), message);
  return {
    ...event,
    history: event.history.map((attempt) => ({
      ...attempt,
      failures: attempt.failures.map((failure) => ({
        ...failure,
        message: clean(failure.message),
      })),
    })),
  };
}

/** Deeper than anything that people read: what is nested deeper was made to cost whoever looks at it. */
const depthMax = 100;

type Mask = (path: readonly string[], value: unknown) => unknown;

/** Masks values at and below the paths, and remembers what was hidden. */
function masking(personal: readonly string[], hidden: string[]): Mask {
  const split = (paths: readonly string[]): readonly (readonly string[])[] =>
    paths.map((path) => path.split("."));
  const hiding = split(personal.filter((path) => !path.startsWith("!")));
  const excepted = split(personal.flatMap((path) => (path.startsWith("!") ? path.slice(1) : [])));
  const isAt = (path: readonly string[], patterns: readonly (readonly string[])[]): boolean =>
    patterns.some(
      (names) =>
        names.length <= path.length &&
        names.every((name, index) => name === "*" || name === path[index]),
    );
  const mask: Mask = (path, value) => {
    if (path.length > depthMax) throw new RangeError("nested too deep to be looked at");
    if (Array.isArray(value)) return value.map((one, index) => mask([...path, String(index)], one));
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [shown(name), mask([...path, name], one)]),
      );
    }
    if (value === null || value === undefined || value === "") return value;
    const isShown = path.length > 0 && (!isAt(path, hiding) || isAt(path, excepted));
    if (isShown) return value;
    hidden.push(`${value as string | number | boolean}`);
    return masked;
  };
  return mask;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The content as providers read it: JSON whatever its type says, else a form. */
function contentOf({ method, target, headers, body }: Delivery, mask: Mask): unknown {
  try {
    if (method === "GET") return fieldsOf(queryOf(target), mask);
    const text = utf8.decode(body);
    const type = headerOf(headers, "content-type") ?? "";
    const isForm = /^application\/x-www-form-urlencoded\b/i.test(type);
    return isForm && !/^\s*[[{]/.test(text) ? fieldsOf(text, mask) : mask([], JSON.parse(text));
  } catch {
    // Not readable, or nested too deep to be looked at.
    return undefined;
  }
}

/** Fields of a form by their names; `sender[email]` and `sender.email` are one path. A second `?` begins further ones. */
function fieldsOf(form: string, mask: Mask): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...new URLSearchParams(form.replaceAll("?", "&"))].map(([name, value]) => {
      const path = name.split(/[.[\]]+/).filter(Boolean);
      const read = name === "payload" ? payloadOf(value, mask) : mask(path, value);
      return [path.map(shown).join("."), read];
    }),
  );
}

/** Names that could be content are masked as well. */
function shown(name: string): string {
  return /^[\w$:-]{1,64}$/.test(name) ? name : masked;
}

function payloadOf(value: string, mask: Mask): unknown {
  try {
    return mask([], JSON.parse(value));
  } catch {
    return masked;
  }
}
