/** Which events a page speaks of: keys or a filter, in the query of a URL, in fields of a form, and in words. */

import {
  everyState,
  type EventFilter,
  type EventState,
  type Reason,
  type Which,
} from "@webhook-inbox/core";
import { Refusal } from "./site/visit.ts";
import { html, type Html } from "./site/html.ts";
import { eventsText, reasonText } from "./words.ts";

const keysMax = 1000;
const texts = ["source", "type", "state", "reason"] as const;
const instants = { from: "receivedFrom", before: "receivedBefore" } as const;

/** Holds nothing that was not asked for. Throws 400 for a state, a reason or a time that is none. */
export function filterOf(query: URLSearchParams): EventFilter {
  const found: { -readonly [Name in keyof EventFilter]: EventFilter[Name] } = {};
  const { source, type, state, reason } = Object.fromEntries(
    texts.map((name) => [name, query.get(name) ?? ""]),
  ) as Record<(typeof texts)[number], string>;
  if (source !== "") found.source = source;
  if (type !== "") found.type = type;
  if (state !== "") found.state = known(everyState, state, "state") as EventState;
  if (reason !== "") found.reason = known(Object.keys(reasonText), reason, "reason") as Reason;
  for (const [name, field] of Object.entries(instants)) {
    const text = query.get(name) ?? "";
    if (text !== "") found[field] = instantOf(text);
  }
  return found;
}

function known(list: readonly string[], text: string, name: string): string {
  if (list.includes(text)) return text;
  throw new Refusal(400, `There is no ${name} ${JSON.stringify(text)}: one of ${list.join(", ")}.`);
}

/** As `datetime-local` fields have it, in UTC. */
function instantOf(text: string): number {
  const hasZone = /(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(hasZone ? text : `${text}Z`) : NaN;
  if (Number.isNaN(at)) throw new Refusal(400, "A time looks like 2026-11-27T10:00, in UTC.");
  return at;
}

/** Of an act: keys, or a filter that names a state. Throws 400. */
export function whichOf(query: URLSearchParams): Which {
  const keys = query.getAll("key");
  if (keys.length > keysMax)
    throw new Refusal(400, `At most ${keysMax} events at once by their keys.`);
  if (keys.length > 0) return keys;
  const { state, ...filter } = filterOf(query);
  if (state === undefined) throw new Refusal(400, "Choose events, or filter by a state.");
  return { ...filter, state };
}

/** The query that says the same. */
export function queryOf(which: Which | EventFilter): URLSearchParams {
  const query = new URLSearchParams();
  if (typeof which === "string") query.append("key", which);
  else if (isKeys(which)) for (const key of which) query.append("key", key);
  else {
    for (const name of texts) {
      const text = which[name];
      if (text !== undefined) query.set(name, text);
    }
    for (const [name, field] of Object.entries(instants)) {
      const at = which[field];
      if (at !== undefined) query.set(name, new Date(at).toISOString());
    }
  }
  return query;
}

const isKeys = (which: Which | EventFilter): which is readonly string[] => Array.isArray(which);

export function hiddenFields(query: URLSearchParams): readonly Html[] {
  return [...query].map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  );
}

/** Such as `all dead events of socialdata`. */
export function whichText(which: Which): string {
  if (typeof which === "string") return whichText([which]);
  if (isKeys(which))
    return which.length === 1 ? `event ${which[0] ?? ""}` : eventsText(which.length);
  const { source, type, state, reason, receivedFrom: from, receivedBefore: before } = which;
  return [
    `all ${state} events`,
    type !== undefined && `of type ${type}`,
    source !== undefined && `of ${source}`,
    reason !== undefined && `for reason ${reason}`,
    from !== undefined && `received from ${new Date(from).toISOString()}`,
    before !== undefined && `received before ${new Date(before).toISOString()}`,
  ]
    .filter((part) => part !== false)
    .join(" ");
}
