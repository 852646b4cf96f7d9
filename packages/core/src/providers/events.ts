/** The two functions of a provider, from where in its bodies the events, their types and their ids stand. */

import type { Identification, Identity, Provider } from "../contracts/provider.ts";
import { sha256Hex } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import { exactJson, freshJson, isRecord, readJson, type Content } from "./content.ts";

/** A record of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** Where an event says its type, its id and its time. */
export interface Reading {
  /** The body as a value. Default: as JSON. */
  readonly content?: (delivery: Delivery) => Content;
  /** The records of a delivery that holds several events; undefined for content that is none. Default: it is one record. */
  readonly items?: (content: unknown, delivery: Delivery) => readonly Fields[] | undefined;
  /**
   * The event's type: a text that is not empty. Without one the delivery is quarantined as `unidentified`; a record among
   * several is an event of the type `unknown` then, so that the others are taken.
   */
  readonly type: (item: Fields, delivery: Delivery) => unknown;
  /**
   * The provider's id of the event, not that of a resource it speaks of. Without one (no text, or an empty one) an event of
   * several is known by its record's content, and a single one by its delivery's content for ten minutes. Default: none.
   */
  readonly id?: (item: Fields, delivery: Delivery) => unknown;
  /** When it happened, in milliseconds since 1970. */
  readonly occurredAt?: (item: Fields, delivery: Delivery) => number | undefined;
  /** What handlers get. Default: the record. */
  readonly data?: (item: Fields, delivery: Delivery) => unknown;
}

/**
 * `identify` and `parse` for a provider.
 *
 * @example
 * ...eventsIn({ type: ({ type }) => type, id: ({ id }) => id })
 */
export function eventsIn(reading: Reading): Pick<Provider, "identify" | "parse"> {
  return reading.items === undefined ? singleIn(reading) : severalIn(reading, reading.items);
}

function singleIn(reading: Reading): Pick<Provider, "identify" | "parse"> {
  const { content = readJson, data = (item) => item } = reading;
  return {
    identify(delivery): Identification {
      const read = content(delivery);
      if (!read.ok) return { kind: "unreadable", reason: read.reason };
      const type = isRecord(read.value) ? textOf(reading.type(read.value, delivery)) : undefined;
      if (!isRecord(read.value) || type === undefined) {
        return { kind: "unreadable", reason: "unidentified" };
      }
      const id = textOf(reading.id?.(read.value, delivery));
      const occurredAt = reading.occurredAt?.(read.value, delivery);
      return { kind: "events", events: [{ id, type, occurredAt }] };
    },
    parse(delivery) {
      const value = content === readJson ? freshJson(delivery) : valueOf(content(delivery));
      if (!isRecord(value)) throw new Error("the delivery holds no such event");
      return data(value, delivery);
    },
  };
}

function severalIn(
  reading: Reading,
  items: NonNullable<Reading["items"]>,
): Pick<Provider, "identify" | "parse"> {
  const { content = readJson, data = (item) => item } = reading;
  /** What a delivery holds, read once however many events there are. */
  const known = new WeakMap<Delivery, readonly Found[]>();
  const foundIn = (delivery: Delivery, value: unknown): readonly Found[] | undefined => {
    const records = items(value, delivery);
    // Ids that are made of content must not lose digits with it.
    const exact = content === readJson ? items(exactJson(delivery), delivery) : records;
    const found = records?.map((item, index) => ({
      item,
      identity: identityOf(reading, item, exact?.[index] ?? item, delivery),
    }));
    if (found !== undefined) known.set(delivery, found);
    return found;
  };
  return {
    identify(delivery): Identification {
      const read = content(delivery);
      if (!read.ok) return { kind: "unreadable", reason: read.reason };
      const found = foundIn(delivery, read.value);
      return found === undefined
        ? { kind: "unreadable", reason: "unidentified" }
        : { kind: "events", events: found.map(({ identity }) => identity) };
    },
    parse(delivery, { id, type }) {
      const found = known.get(delivery) ?? foundIn(delivery, valueOf(content(delivery))) ?? [];
      const one = found.find(({ identity }) => identity.id === id && identity.type === type);
      if (one === undefined) throw new Error("the delivery holds no such event");
      return data(structuredClone(one.item), delivery);
    },
  };
}

interface Found {
  readonly item: Fields;
  readonly identity: Identity;
}

function identityOf(reading: Reading, item: Fields, exact: Fields, delivery: Delivery): Identity {
  const type = textOf(reading.type(item, delivery)) ?? "unknown";
  const id = textOf(reading.id?.(item, delivery));
  const isKept = id?.isWellFormed() === true && id.length <= charactersMax && !id.includes("\0");
  return {
    id: isKept ? id : contentId(exact),
    type: type.isWellFormed() && !type.includes("\0") ? type.slice(0, charactersMax) : "unknown",
    occurredAt: reading.occurredAt?.(item, delivery),
  };
}

/** Ids and types that are kept as they are, so that their record is found by them. */
const charactersMax = 255;

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function valueOf(content: Content): unknown {
  if (content.ok) return content.value;
  throw new Error(`the body cannot be read: ${content.reason}`);
}

/** The id of a record that has none: whoever sends it again, with whatever beside it, sends the same event. */
export function contentId(item: unknown): string {
  return `sha256:${sha256Hex(JSON.stringify(item))}`;
}

/** A Unix time in seconds as an instant; undefined for anything else. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
