/** What may be said of an error: its name, code and place. Messages of others may quote payloads and secrets. */

import { isWebhookInboxError } from "../errors.ts";
import type { ErrorSummary } from "./signals.ts";

const textCharactersMax = 200;

/** Total: also for values whose getters throw. */
export function summaryOf(error: unknown): ErrorSummary {
  try {
    if (!(error instanceof Error)) {
      return { name: typeof error, code: undefined, message: undefined, at: undefined };
    }
    const code: unknown = "code" in error ? error.code : undefined;
    return {
      name: bounded(error.name) ?? "Error",
      code: bounded(code),
      message: isWebhookInboxError(error) ? error.message : undefined,
      at: placeOf(error.stack),
    };
  } catch {
    return { name: "unreadable error", code: undefined, message: undefined, at: undefined };
  }
}

/** Identifiers only: a name or code that somebody made from a payload is left out. */
function bounded(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w$.:-]{1,64}$/.test(value) ? value : undefined;
}

function placeOf(stack: unknown): string | undefined {
  if (typeof stack !== "string") return undefined;
  const frame = /^ {4}at (.+:\d+:\d+\)?)$/m.exec(stack.slice(-8192));
  return frame?.[1]?.slice(0, textCharactersMax);
}
