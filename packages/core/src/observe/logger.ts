/** Writes signals as log lines. Anything shaped like pino fits; without one, all but debugging goes to the console. */

import { diagnosisText } from "./diagnosis.ts";
import {
  blockedLine,
  driftLine,
  eventText,
  settledLine,
  startLines,
  storeLine,
  whyOf,
  type Line,
} from "./lines.ts";
import type { Emit, ErrorSummary, EventName, Signal } from "./signals.ts";

/** The part of pino's interface that is used. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Lines that anybody can cause are written once in this time, for each source and cause. */
const quietMsDefault = 1000;

const notFoundQuietMs = 60_000;

/** Says each signal to the logger. A logger that throws harms nobody but itself. */
export function logTo(logger: Logger, now: () => number): Emit {
  /** When a line was last written, by what it repeats. Its keys come from the configuration and our own words. */
  const written = new Map<string, number>();
  return (signal) => {
    try {
      for (const { level, message, once, quietMs = quietMsDefault } of linesOf(signal)) {
        const last = once === undefined ? undefined : written.get(once);
        if (last !== undefined && now() - last < quietMs) continue;
        if (once !== undefined) written.set(once, now());
        logger[level](signal, message);
      }
    } catch {
      // There is nobody left to tell.
    }
  };
}

/** For those who bring no logger: one line each, without debugging. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: (_, message) => console.info(`[webhook-inbox] ${message}`),
  warn: (_, message) => console.warn(`[webhook-inbox] ${message}`),
  error: (_, message) => console.error(`[webhook-inbox] ${message}`),
};

/** A logger for a handler's own words, as pino takes them: fields or an error before the message, or the message alone. */
export interface HandlerLogger {
  debug(fields: object, message?: string): void;
  debug(message: string): void;
  info(fields: object, message?: string): void;
  info(message: string): void;
  warn(fields: object, message?: string): void;
  warn(message: string): void;
  error(fields: object, message?: string): void;
  error(message: string): void;
}

/** The event and the handler stand in the fields of each line; on the console they stand before it. */
export function handlerLogger(
  logger: Logger | undefined,
  event: EventName,
  more: { readonly handler: string; readonly attempt: number },
): HandlerLogger {
  const to =
    (level: keyof Logger) =>
    // Plain JavaScript logs whatever was thrown.
    (given: unknown, message = ""): void => {
      const words = typeof given === "string" ? given : message;
      const own = fieldsOf(given);
      const fields = { ...own, event, ...more };
      const isConsole = logger === consoleLogger;
      try {
        logger?.[level](fields, isConsole ? consoleText(event, more.handler, words, own) : words);
      } catch {
        // A logger that fails is no failure of the handler.
      }
    };
  return { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
}

function fieldsOf(given: unknown): object {
  if (given instanceof Error) return { err: given };
  return typeof given === "object" && given !== null ? given : {};
}

/** A line of a handler's own, with its fields: the console gets no others. */
function consoleText(event: EventName, handler: string, words: string, own: object): string {
  const fields = Object.keys(own).length === 0 ? "" : ` ${inspected(own)}`;
  return `${eventText(event)} ${handler}: ${words}${fields}`;
}

function inspected(own: object): string {
  if ("err" in own && own.err instanceof Error) return own.err.stack ?? own.err.message;
  try {
    return JSON.stringify(own);
  } catch {
    return "(fields that cannot be written)";
  }
}

function linesOf(signal: Signal): readonly Line[] {
  switch (signal.kind) {
    case "started":
      return startLines(signal.sources);
    case "start_failed":
    case "store_failed":
    case "store_volatile":
    case "spilling":
    case "spill_drained":
    case "possibly_lost":
      return [storeLine(signal)];
    case "received":
      return [receivedLine(signal)];
    case "not_found":
      return [notFoundLine(signal)];
    case "keys_failed": {
      const what = `${signal.source}: what verification or a handshake needs could not be fetched: ${causeText(signal.error)}`;
      return [line("error", what, `${signal.source} ${signal.error.name}`)];
    }
    case "body_consumed":
      return [consumedLine(signal)];
    case "suspected":
      return [suspectedLine(signal)];
    case "settled":
      return [settledLine(signal)];
    case "schema_drift":
      return [driftLine(signal)];
    case "fetched": {
      const what = "the webhook had not come in time, so it was fetched from the provider";
      return [line("warn", `${eventText(signal.event)}: ${what}`)];
    }
    case "fenced": {
      const what = "another worker had taken over, or a person had ended it";
      return [line("warn", `${eventText(signal.event)}: ${what}; this result was discarded`)];
    }
    case "intervened": {
      const { act, by, reason, count } = signal;
      return [line("info", `${act} of ${count} events by ${byText(by, reason)}`)];
    }
    case "revealed": {
      const { event, by, reason } = signal;
      return [line("info", `${eventText(event)}: shown without masks to ${byText(by, reason)}`)];
    }
    case "pruned":
      return [
        line("info", `retention: ${signal.payloads} deliveries and ${signal.keys} keys forgotten`),
      ];
    case "loop_blocked":
      return [blockedLine(signal)];
    case "heartbeat_failed": {
      const why = `the heartbeat thread failed: ${causeText(signal.error)}.`;
      return [
        line(
          "warn",
          `${why} Until it can extend leases again, they last as long as handlers may run`,
        ),
      ];
    }
    case "wait_until_failed": {
      const why = `waitUntil threw ${causeText(signal.error)}.`;
      return [line("warn", `${why} What follows a delivery may be stopped with the process`, why)];
    }
    case "receive_failed": {
      const what = `a delivery could not be received: ${causeText(signal.error)}`;
      return [line("error", `${signal.source}: ${what}; it was answered 500`)];
    }
  }
}

/** Our own words, else where it was thrown. */
function causeText(error: ErrorSummary): string {
  const { name, at = "an unknown place" } = error;
  return error.message === undefined ? `${name} at ${at}` : whyOf(error);
}

/** Who, and why: their own words. */
function byText(by: string, reason: string): string {
  return JSON.stringify(by) + (reason === "" ? "" : `: ${JSON.stringify(reason)}`);
}

function line(level: Line["level"], message: string, once?: string): Line {
  return { level, message, once };
}

const statusTexts: Readonly<Record<number, string>> = {
  405: "a method that its provider does not use",
  408: "its body came too slowly",
  413: "its body is larger than limits.bodyBytesMax",
};

/** What a person should see of a delivery: that it was refused and why, or kept and cannot be handled as it is. */
function receivedLine({ source, receipt }: Extract<Signal, { kind: "received" }>): Line {
  switch (receipt.kind) {
    case "refused": {
      const { status, diagnosis } = receipt;
      const what = diagnosis === undefined ? statusTexts[status] : diagnosisText(diagnosis);
      const why = what === undefined ? "" : ` (${what})`;
      const { credential, code, detail } = diagnosis ?? {};
      const cause = [source, status, credential, code, detail].join(" ");
      return line("warn", `${source}: refused ${status}${why}`, cause);
    }
    case "quarantined":
      return line(
        "warn",
        `${source}: kept in quarantine (${receipt.reason}): inbox.get("${receipt.key}")`,
      );
    case "conflict":
      return line(
        "warn",
        `${source}: the id of inbox.get("${receipt.key}") came with other content; kept in quarantine`,
      );
    case "taken":
    case "spilled":
    case "duplicate":
    case "handshake":
    case "nothing":
      return line("debug", `${source}: ${receipt.kind}`);
  }
}

function suspectedLine({ event, deaths }: Extract<Signal, { kind: "suspected" }>): Line {
  const what = `was in hand at ${deaths} deaths of workers, and runs once more, by itself`;
  return line("warn", `${eventText(event)}: ${what}; at another one it is dead (poison)`);
}

/** Anybody may knock anywhere; a URL that was set wrongly at a provider is among them. */
function notFoundLine({ source }: Extract<Signal, { kind: "not_found" }>): Line {
  const where = source === undefined ? "names no source" : "is none of its URLs";
  const what = `answered 404: a path that ${where}; the URLs of all sources were listed at the start`;
  const message = source === undefined ? what : `${source}: ${what}`;
  return { level: "warn", message, once: `404 ${source}`, quietMs: notFoundQuietMs };
}

/** Said once: what is mounted in the wrong order stays so for every delivery. */
function consumedLine({ source, lost }: Extract<Signal, { kind: "body_consumed" }>): Line {
  const fix =
    "mount webhooks() before the body parser, or give inbox.fetch a request that nobody has read";
  const what = lost
    ? "and the exact bytes are gone, so deliveries are answered 500"
    : "so the stored body is a reconstruction";
  return {
    level: lost ? "error" : "warn",
    message: `${source}: a body parser ran first${lost ? " " : ", "}${what}: ${fix}`,
    once: `${source} ${lost ? "lost" : "rebuilt"}`,
    quietMs: Infinity,
  };
}
