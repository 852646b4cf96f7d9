/** Which events: the options that commands share, and what they select. */

import { InvalidArgumentError, Option, type Command } from "commander";
import { everyState, type EventFilter, type EventState } from "@webhook-inbox/core";

export interface Selecting {
  readonly source?: string;
  readonly type?: string;
  readonly state?: EventState;
  readonly reason?: string;
  readonly since?: number;
  readonly until?: number;
}

export function withSelection(command: Command): Command {
  return withScope(command)
    .addOption(new Option("--state <state>", "only in this state").choices(everyState))
    .option("--reason <reason>", "only for this reason, such as exhausted or invalid");
}

export function withScope(command: Command): Command {
  return command
    .option("--source <name>", "only of this source")
    .option("--type <type>", "only of this type")
    .option("--since <time>", "received since: 30min, 12h, 7d ago, or an ISO time", instantOf)
    .option("--until <time>", "received before: 30min, 12h, 7d ago, or an ISO time", instantOf);
}

/** Holds nothing that was not asked for. */
export function filterOf({ source, type, state, reason, since, until }: Selecting): EventFilter {
  const given = { source, type, state, reason, receivedFrom: since, receivedBefore: until };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function msOf(text: string): number | undefined {
  const length = /^(\d+(?:\.\d+)?)\s*(s|min|h|d)$/.exec(text);
  return length === null ? undefined : Number(length[1]) * (unitMs[length[2] ?? ""] ?? 0);
}

/** Milliseconds of `30d`. */
export function lengthOf(text: string): number {
  const ms = msOf(text);
  if (ms === undefined) throw new InvalidArgumentError("A length of time is 30min, 12h or 90d.");
  return Math.round(ms);
}

/** Milliseconds since 1970 of `12h` (ago), or of an ISO time. */
export function instantOf(text: string): number {
  const ago = msOf(text);
  if (ago !== undefined) return Math.round(Date.now() - ago);
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError("A time is 30min, 12h or 7d (ago), or 2026-11-27T10:00Z.");
  }
  return at;
}

/** The beginning of a URL, without a slash at its end. */
export function urlBase(text: string): string {
  if (!/^https?:\/\/./i.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError("A URL begins with http:// or https://.");
  }
  return text.replace(/\/+$/, "");
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  }
  return port;
}

export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError("It must be a whole number from 1 on.");
  }
  return number;
}
