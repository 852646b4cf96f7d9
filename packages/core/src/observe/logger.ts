/** Writes signals as log lines. Anything shaped like pino fits; without one, warnings and errors go to the console. */

import type { Emit, FailureSummary, Signal } from "./signals.ts";

/** The part of pino's interface that is used. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Says each signal to the logger; what every delivery of a source would repeat, once. A logger that throws harms nobody
 * but itself.
 */
export function logTo(logger: Logger): Emit {
  const said = new Set<string>();
  return (signal) => {
    try {
      if (signal.kind === "body_consumed") {
        const what = `${signal.source} ${signal.lost}`;
        if (said.has(what)) return;
        said.add(what);
      }
      for (const { level, message } of linesOf(signal)) logger[level](signal, message);
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

interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

function linesOf(signal: Signal): readonly Line[] {
  switch (signal.kind) {
    case "started":
      return startLines(signal.sources);
    case "start_failed":
      return [
        line(
          "error",
          `the store cannot be opened (${signal.error.message ?? signal.error.name}); deliveries are answered 503 until it can`,
        ),
      ];
    case "store_volatile":
      return [line("warn", "memory store: what was acknowledged is lost when the process ends")];
    case "received":
      return [line("debug", `${signal.source}: ${signal.receipt.kind}`)];
    case "body_consumed":
      return [line(signal.lost ? "error" : "warn", consumedText(signal.source, signal.lost))];
    case "settled":
      return [settledLine(signal)];
    case "fenced":
      return [
        line(
          "warn",
          `${nameOf(signal.event)}: another worker had taken over; this result was discarded`,
        ),
      ];
    case "store_failed":
      return [
        line("error", `store.${signal.verb} failed: ${signal.error.message ?? signal.error.name}`),
      ];
    case "receive_failed":
      return [
        line(
          "error",
          `${signal.source}: a delivery could not be received: ${signal.error.name} at ${signal.error.at ?? "an unknown place"}`,
        ),
      ];
  }
}

function line(level: Line["level"], message: string): Line {
  return { level, message };
}

function startLines(sources: Extract<Signal, { kind: "started" }>["sources"]): readonly Line[] {
  return sources.map(({ name, path, methods, credential }) => {
    const where = `${name}: ${methods.join(" or ")} <your host and mount point>${path}`;
    if (credential === "required") return line("info", where);
    return credential === "none"
      ? line("warn", `${where} takes deliveries from anybody (auth: "none")`)
      : line(
          "warn",
          `${where} has no credential, so it answers this machine only; set one before anybody else can reach it`,
        );
  });
}

function consumedText(source: string, lost: boolean): string {
  const fix = "mount webhooks() before the body parser";
  return lost
    ? `${source}: a body parser ran first and the exact bytes are gone, so deliveries are answered 500: ${fix}`
    : `${source}: a body parser ran first, so the stored body is a reconstruction: ${fix}`;
}

function settledLine({
  event,
  attempt,
  outcome,
  failures,
}: Extract<Signal, { kind: "settled" }>): Line {
  const name = nameOf(event);
  const why = failures.map(failureText).join("; ");
  switch (outcome.state) {
    case "done":
      return line("debug", `${name}: done`);
    case "unhandled":
      return line(
        "warn",
        `${name}: no handler is registered for this type; the event is kept as unhandled`,
      );
    case "quarantined":
      return line("warn", `${name}: quarantined (${outcome.reason})`);
    case "dead":
      return line("error", `${name}: dead (${outcome.reason}) after attempt ${attempt}: ${why}`);
    case "pending":
      return outcome.handedBack
        ? line("debug", `${name}: handed back`)
        : line(
            "warn",
            `${name}: attempt ${attempt} failed, next in ${Math.round(outcome.afterMs / 1000)} s: ${why}`,
          );
  }
}

function failureText({ handler, name, code, at }: FailureSummary): string {
  const kind = code === undefined ? name : `${name} ${code}`;
  return `${handler}: ${kind}${at === undefined ? "" : ` at ${at}`}`;
}

function nameOf({ source, type, key }: { source: string; type: string; key: string }): string {
  return `${source} ${JSON.stringify(type)} ${key}`;
}
