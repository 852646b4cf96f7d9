/** The wording of the longer log lines: the start, and the end of an attempt. */

import { durationText } from "./duration.ts";
import type { ErrorSummary, EventName, FailureSummary, Signal, SourceSummary } from "./signals.ts";

export interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  /** What a line repeats that anybody can cause: such lines are thinned out. */
  readonly once?: string | undefined;
  /** For how long it is not repeated. */
  readonly quietMs?: number;
}

/** For each source what to paste into its provider, without its secrets. */
export function startLines(sources: readonly SourceSummary[]): readonly Line[] {
  return sources.map(({ name, path, publicUrl, segments, methods, credential, headers }) => {
    const ends = segments.length === 0 ? "" : `[/${segments.join(" /")}]`;
    const carried = headers.length === 0 ? "" : `, with the header ${headers.join(", ")}`;
    const before = publicUrl === "" ? "<your host and mount point>" : publicUrl;
    const where = `${name}: ${methods.join(" or ")} ${before}${path}${ends}${carried}`;
    if (credential === "required") return { level: "info", message: where };
    const open =
      credential === "none"
        ? 'takes deliveries from anybody (auth: "none")'
        : "has no credential, so it answers this machine only; set one before anybody else can reach it";
    return { level: "warn", message: `${where} ${open}` };
  });
}

/** How an attempt ended. The message of an error stays with the event, as it may quote the payload; but for our own. */
export function settledLine({
  event,
  attempt,
  outcome,
  failures,
}: Extract<Signal, { kind: "settled" }>): Line {
  const name = eventText(event);
  const why = failures.map(failureText).join("; ");
  const more = `webhook-inbox show ${event.key} has the message`;
  switch (outcome.state) {
    case "done": {
      if (why !== "")
        return { level: "warn", message: `${name}: done, but afterwards ${why}; ${more}` };
      const became = outcome.became === undefined ? "" : `, it became ${outcome.became} events`;
      return { level: "debug", message: `${name}: done${became}` };
    }
    case "unhandled":
      return {
        level: "warn",
        message: `${name}: no handler is registered for this type; the event is kept as unhandled`,
      };
    case "quarantined":
      return { level: "warn", message: `${name}: quarantined (${outcome.reason}); ${more}` };
    case "dead": {
      const told = [...(why === "" ? [] : [why]), more].join("; ");
      const last = outcome.reason === "poison" ? poisonText : told;
      return {
        level: "error",
        message: `${name}: dead (${outcome.reason}) after attempt ${attempt}: ${last}`,
      };
    }
    case "pending": {
      const next = durationText(outcome.afterMs);
      if (outcome.handedBack) return postponedLine(name, next, failures);
      const message = `${name}: attempt ${attempt} did not finish it, next in ${next}: ${why}; ${more}`;
      return { level: "warn", message };
    }
  }
}

/** Handed back, as at the end of a process; or, with a cause, because nobody can handle it for now. */
function postponedLine(name: string, next: string, failures: readonly FailureSummary[]): Line {
  const [cause] = failures;
  if (cause === undefined) return { level: "debug", message: `${name}: handed back` };
  const message = `${name}: waits, next in ${next}: ${failureText(cause)}`;
  return { level: "warn", message, once: `waits ${cause.handler} ${cause.name} ${cause.code}` };
}

const poisonText = "too many workers died while they had it in hand, so it is tried no more";

type AboutStore = Extract<
  Signal,
  {
    kind:
      | "start_failed"
      | "store_failed"
      | "store_volatile"
      | "spilling"
      | "spill_drained"
      | "possibly_lost";
  }
>;

const notOpenedQuietMs = 60_000;

/** How the store and the spill are, and what that means for deliveries. */
export function storeLine(signal: AboutStore): Line {
  switch (signal.kind) {
    case "start_failed": {
      const why = `the store cannot be opened: ${whyOf(signal.error)}`;
      const then =
        "Deliveries are answered 503 until it can, or kept in the spill if there is one.";
      // It is tried again every second, for as long as somebody is asked.
      const once = `start ${signal.error.name} ${signal.error.code}`;
      return { level: "error", message: `${why} ${then}`, once, quietMs: notOpenedQuietMs };
    }
    case "store_failed": {
      const verb = `${signal.of}.${signal.verb}`;
      return { level: "error", message: `${verb} failed: ${whyOf(signal.error)}`, once: verb };
    }
    case "store_volatile": {
      const message = "memory store: what was acknowledged is lost when the process ends";
      return { level: "warn", message };
    }
    case "spilling": {
      const what = "the store is away, so deliveries are kept in the spill until it is back";
      return { level: "warn", message: `${what}: ${whyOf(signal.error)}`, once: signal.kind };
    }
    case "spill_drained": {
      const message = `the spill has drained: the store has its ${signal.deliveries} deliveries`;
      return { level: "info", message };
    }
    case "possibly_lost": {
      const what = "a delivery was answered 503, and its provider does not send again by itself";
      const message = `${signal.source}: ${what}: it may be lost`;
      return { level: "error", message, once: `${signal.source} lost` };
    }
  }
}

export function whyOf({
  name,
  code,
  message = [name, code].filter(Boolean).join(" "),
}: ErrorSummary): string {
  return message.replace(ourPrefix, "");
}

/** What our errors begin with: so do lines. */
const ourPrefix = /^\[webhook-inbox\] /;

/** What changed at the provider, or was never so. */
export function driftLine({
  event,
  path,
  expected,
  received,
  policy,
}: Extract<Signal, { kind: "schema_drift" }>): Line {
  const where = path === "" ? "as a whole" : `at "${path}"`;
  const then = policy === "quarantine" ? "kept in quarantine" : "handled as they are";
  const found = received === "absent" ? "it is missing" : `received ${received}`;
  const wanted = expected === undefined ? "" : `expected ${expected}, `;
  const what = `does not fit its schema ${where}: ${wanted}${found}`;
  return { level: "warn", message: `${eventText(event)}: ${what}; such events are ${then}` };
}

/** Who may have kept everything else waiting. */
export function blockedLine({
  blockedMs,
  events,
}: Extract<Signal, { kind: "loop_blocked" }>): Line {
  const names = events.slice(0, blockedNamesMax).map(eventText).join(", ");
  const who = names === "" ? "" : `; running: ${names}`;
  const message = `the event loop was blocked for ${durationText(blockedMs)}${who}`;
  return { level: "warn", message };
}

const blockedNamesMax = 5;

/** Source, type and key; a type is the sender's text, so it is written with escapes. */
export function eventText({ source, type, key }: EventName): string {
  const escaped = JSON.stringify(type).replaceAll(
    /[^\x20-\x7E]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${source} ${escaped} ${key}`;
}

function failureText({ handler, name, code, at, message }: FailureSummary): string {
  const kind = code === undefined ? name : `${name} ${code}`;
  const own = message === undefined ? "" : `: ${message.replace(ourPrefix, "")}`;
  return `${handler}: ${kind}${at === undefined ? "" : ` at ${at}`}${own}`;
}
