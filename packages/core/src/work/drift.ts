/** Data that does not fit its schema any more: said once for each source, type and place. */

import type { Schema, SchemaIssue } from "../contracts/schema.ts";
import type { EventRecord } from "../model/event.ts";
import type { Emit } from "../observe/signals.ts";
import type { OnInvalid } from "./data.ts";

/** Told of each issue that a schema has with the data of an authentic event. */
export type NoteDrift = (
  event: Pick<EventRecord, "source" | "type" | "key">,
  issues: readonly SchemaIssue[],
  data: unknown,
  schema: Schema,
) => void;

/** Places that are remembered as said: with more than these nobody reads on. */
const placesMax = 1000;
const wordPattern = /^[a-z_]{1,40}$/i;

export function driftNoter(emit: Emit, policy: OnInvalid): NoteDrift {
  const said = new Set<string>();
  return ({ source, type, key }, issues, data, schema) => {
    for (const issue of issues) {
      const names = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
      const path = shownPath(schema, names).join(".");
      const place = [source, type, path].join("\0");
      if (said.has(place) || said.size >= placesMax) continue;
      said.add(place);
      const expected = expectedBy(issue);
      const more = expected === undefined ? {} : { expected };
      const received = kindOf(valueAt(data, names));
      emit({ kind: "schema_drift", event: { source, type, key }, path, ...more, received, policy });
    }
  };
}

/** Names that the schema declares; what it does not may be content (a key of a record of anything), and is `*`. */
function shownPath(schema: Schema, names: readonly PropertyKey[]): readonly string[] {
  let places: readonly unknown[] = [schema];
  return names.map((name) => {
    const open = places.flatMap((place) => unwrapped(place, 0));
    const isDeclared = open.some((place) => Object.hasOwn(fieldsOf(place), name));
    places = open.flatMap((place) =>
      [fieldsOf(place)[name as string], partOf(place, "element"), partOf(place, "item")].filter(
        Boolean,
      ),
    );
    if (typeof name === "number") return "[]";
    return isDeclared ? String(name) : "*";
  });
}

const depthMax = 8;

/** What stands behind optional, nullable and the like, and each of several choices (zod, valibot). */
function unwrapped(place: unknown, depth: number): readonly unknown[] {
  const def = partOf(place, "def");
  const inner = [place, def].flatMap((one) => [
    partOf(one, "innerType"),
    partOf(one, "wrapped"),
    partOf(one, "in"),
    partOf(one, "options"),
  ]);
  const found = inner.flat().filter((one) => typeof one === "object" && one !== null);
  return depth > depthMax ? [place] : [place, ...found.flatMap((one) => unwrapped(one, depth + 1))];
}

function fieldsOf(place: unknown): Readonly<Record<string, unknown>> {
  const fields = partOf(place, "shape") ?? partOf(place, "entries");
  return typeof fields === "object" && fields !== null ? (fields as Record<string, unknown>) : {};
}

function partOf(place: unknown, name: string): unknown {
  return typeof place === "object" && place !== null && name in place
    ? (place as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** Schemas of zod say in a word what they expected, beside their message, which may quote the data. */
function expectedBy(issue: SchemaIssue): string | undefined {
  const { expected, errors, values } = issue as {
    readonly expected?: unknown;
    readonly errors?: unknown;
    readonly values?: unknown;
  };
  if (Array.isArray(values)) return literalsOf(values);
  if (typeof expected === "string") return wordPattern.test(expected) ? expected : undefined;
  const choices = Array.isArray(errors) ? (errors as unknown[]).flat() : [];
  const words = choices.map((one) => partOf(one, "expected"));
  const known = words.every((word) => typeof word === "string" && wordPattern.test(word));
  return known && words.length > 0 ? [...new Set(words)].join(" or ") : undefined;
}

/** What a schema names as the only values. */
function literalsOf(values: readonly unknown[]): string | undefined {
  const words = values.map((value) => JSON.stringify(value) ?? "undefined");
  return words.length <= literalsMax ? words.join(" or ") : undefined;
}

const literalsMax = 5;

function valueAt(data: unknown, names: readonly PropertyKey[]): unknown {
  let value = data;
  for (const name of names) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[name];
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
