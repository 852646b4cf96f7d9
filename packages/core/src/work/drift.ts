/** Data that does not fit its schema any more: said once for each source, type and place. */

import type { SchemaIssue } from "../contracts/schema.ts";
import type { EventRecord } from "../model/event.ts";
import type { Emit } from "../observe/signals.ts";
import type { OnInvalid } from "./data.ts";

/** Told of each issue that a schema has with the data of an authentic event. */
export type NoteDrift = (
  event: Pick<EventRecord, "source" | "type" | "key">,
  issues: readonly SchemaIssue[],
  data: unknown,
) => void;

/** Places that are remembered as said: with more than these nobody reads on. */
const placesMax = 1000;
/** What may be a name that the provider gave; anything else may be content. */
const namePattern = /^[\w$-]{1,64}$/;
const wordPattern = /^[a-z_ ]{1,40}$/i;

export function driftNoter(emit: Emit, policy: OnInvalid): NoteDrift {
  const said = new Set<string>();
  return ({ source, type, key }, issues, data) => {
    for (const issue of issues) {
      const names = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
      const path = names.map(shown).join(".");
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

function shown(name: PropertyKey): string {
  if (typeof name === "number") return "[]";
  return typeof name === "string" && namePattern.test(name) ? name : "?";
}

/** Schemas of zod say what they expected beside their message, which may quote the data. */
function expectedBy(issue: SchemaIssue): string | undefined {
  const { expected, code } = issue as { readonly expected?: unknown; readonly code?: unknown };
  return [expected, code].find(
    (word): word is string => typeof word === "string" && wordPattern.test(word),
  );
}

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
