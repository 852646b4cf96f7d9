/** The two functions of a provider, from where in its bodies the events, their types and their ids stand. */

import type { Identification, Identity, Provider } from "../contracts/provider.ts";
import { sha256 } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import { freshJson, isRecord, readJson, type Content } from "./content.ts";

/** A record of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

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
   * several is known by its record's content, and a single one by its delivery's content for ten minutes.
   */
  readonly id: (item: Fields, delivery: Delivery) => unknown;
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
  const { content = readJson, items } = reading;
  const itemsOf = (value: unknown, delivery: Delivery): readonly Fields[] | undefined => {
    if (items !== undefined) return items(value, delivery);
    return isRecord(value) ? [value] : undefined;
  };
  return {
    identify(delivery): Identification {
      const read = content(delivery);
      if (!read.ok) return { kind: "unreadable", reason: read.reason };
      const found = itemsOf(read.value, delivery);
      const events = found?.map((item) => identityOf(reading, item, delivery));
      const isComplete = events?.every((event) => event !== undefined) === true;
      return isComplete
        ? { kind: "events", events }
        : { kind: "unreadable", reason: "unidentified" };
    },
    parse(delivery, { id, type }) {
      const value = content === readJson ? freshJson(delivery) : valueOf(content(delivery));
      const found = itemsOf(value, delivery) ?? [];
      const item =
        items === undefined
          ? found[0]
          : found.find((one) => {
              const identity = identityOf(reading, one, delivery);
              return identity?.id === id && identity.type === type;
            });
      if (item === undefined) throw new Error("the delivery holds no such event");
      return reading.data === undefined ? item : reading.data(item, delivery);
    },
  };
}

function valueOf(content: Content): unknown {
  if (content.ok) return content.value;
  throw new Error(`the body cannot be read: ${content.reason}`);
}

function identityOf(reading: Reading, item: Fields, delivery: Delivery): Identity | undefined {
  const isOneOfSeveral = reading.items !== undefined;
  const found = reading.type(item, delivery);
  const isTyped = typeof found === "string" && found !== "";
  if (!isTyped && !isOneOfSeveral) return undefined;
  const type = isTyped ? found : "unknown";
  const given = reading.id(item, delivery);
  const id = typeof given === "string" && given !== "" ? given : undefined;
  return {
    id: isOneOfSeveral ? foundAgain(id, item) : id,
    type,
    occurredAt: reading.occurredAt?.(item, delivery),
  };
}

/** Ids that are kept as they are, so that their record is found by them. */
const idPattern = /^[^\0]{1,255}$/u;

function foundAgain(id: string | undefined, item: Fields): string {
  return id?.isWellFormed() === true && idPattern.test(id) ? id : contentId(item);
}

/** The id of a record that has none: whoever sends it again, with whatever beside it, sends the same event. */
export function contentId(item: unknown): string {
  return `sha256:${sha256(JSON.stringify(item)).toString("hex")}`;
}

/** A Unix time in seconds as an instant; undefined for anything else. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
