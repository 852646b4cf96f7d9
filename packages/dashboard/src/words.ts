/** What states, reasons and diagnoses mean, and how instants and lengths of time are written. */

import {
  forever,
  type Act,
  type EventRecord,
  type EventState,
  type Reason,
} from "@webhook-inbox/core";
import { html, type Html } from "./site/html.ts";

export const meaningOf: Readonly<Record<EventState, string>> = {
  pending: "It waits for a worker, or for its next attempt.",
  running: "A worker has it in hand.",
  done: "Every handler has succeeded.",
  dead: "It was given up, and stays until somebody replays, cancels or erases it.",
  quarantined:
    "It is kept as it came, and was not handled. It stays until somebody releases, cancels or erases it.",
  unhandled: "No handler was registered for its type. Replay it once there is one.",
  cancelled: "Somebody said that it is not to be handled.",
  erased: "Somebody had its content destroyed. A further delivery of it is not taken again.",
  refused:
    "Its credential was not accepted, and its sender was told so. If the secret here was wrong, put it right, and verify it again.",
};

export const reasonText: Readonly<Record<Reason, string>> = {
  empty: "The body has no bytes.",
  coding: "The body is compressed, which this version does not read.",
  unparsable: "The content is not what the provider's format says.",
  unidentified: "It lacks the fields by which the provider's events are known.",
  invalid: "Its data does not fit the schema of its type.",
  conflict: "An event with the same id but other content had been taken before.",
  encrypted: "What was encrypted is not what was written: it was altered in the store.",
  unknown_type: "Nobody knows its type, and onUnknownType says quarantine.",
  exhausted: "A handler failed at every attempt that its schedule allows.",
  fatal: "A handler has answered that it will never succeed.",
  poison: "Its attempts killed the processes that ran them.",
  missing: "What should carry the credential is absent.",
  malformed: "What carries the credential cannot be one.",
  mismatch:
    "It matches none of the secrets: it belongs to another secret, or the content was altered.",
  reencoded:
    "The signature fits another writing of the same content: something on the way rewrites bodies.",
  stale: "The signature is right, but its time is too far from this machine's clock.",
  expired: "It matches a secret that does not hold at that time.",
  key_unavailable: "The keys of the provider could not be fetched.",
  exposed: "The source has no credential, and the request did not come from the same machine.",
};

export const actLabel: Readonly<Record<Act, string>> = {
  replay: "Replay",
  release: "Release",
  verify: "Verify again",
  cancel: "Cancel",
  erase: "Erase",
};

export const actMeaning: Readonly<Record<Act, string>> = {
  replay:
    "The handlers that have not succeeded run again, from the first attempt, behind live traffic.",
  release: "They are read again, and handled if that succeeds.",
  verify:
    "Their credentials are held against the secrets of now, as of their arrival. What is authentic is handled.",
  cancel: "They are not handled any more. A handler that runs is told so.",
  erase:
    "Their deliveries are destroyed, with all other events of these deliveries and what is kept of attempts. This cannot be undone.",
};

export const doneText: Readonly<Record<Act, string>> = {
  replay: "replayed",
  release: "released",
  verify: "found authentic, and taken",
  cancel: "cancelled",
  erase: "erased",
};

const numbers = new Intl.NumberFormat("en");

export const numberText = (count: number): string => numbers.format(count);

export function countText(count: number, one: string, many: string): string {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

export const eventsText = (count: number): string => countText(count, "event", "events");

const units = [
  ["day", "days", 86_400_000],
  ["h", "h", 3_600_000],
  ["min", "min", 60_000],
  ["s", "s", 1000],
] as const;

/** A length of time in its largest unit, such as `3 min`. */
export function durationText(ms: number): string {
  const [one, many, size] = units.find(([, , unitMs]) => ms >= unitMs) ?? ["ms", "ms", 1];
  const count = Math.floor(ms / size);
  return `${count} ${count === 1 ? one : many}`;
}

/** An instant, to the second, with how long ago it was. */
export function instant(ms: number, now: number = Date.now()): Html {
  const iso = isoText(ms);
  if (iso === undefined) return html`never`;
  const ago = now >= ms ? `${durationText(now - ms)} ago` : `in ${durationText(ms - now)}`;
  return html`<time datetime="${iso}" title="${ago}"
    >${iso.replace("T", " ").replace(/\.\d+Z$/, "Z")}</time
  >`;
}

/** How long ago an instant was, or how far it is. */
export function since(ms: number, now: number = Date.now()): Html {
  const iso = isoText(ms);
  if (iso === undefined) return html`never`;
  const text = now >= ms ? `${durationText(now - ms)} ago` : `in ${durationText(ms - now)}`;
  return html`<time datetime="${iso}" title="${iso}">${text}</time>`;
}

/** Undefined for what no calendar has, and for the last instant, which stands for never. */
function isoText(ms: number): string | undefined {
  return Math.abs(ms) < forever ? new Date(ms).toISOString() : undefined;
}

export function stateBadge({ state, reason }: Pick<EventRecord, "state" | "reason">): Html {
  return html`<span class="state ${state}"
    >${state}${reason !== undefined && ` (${reason})`}</span
  >`;
}
