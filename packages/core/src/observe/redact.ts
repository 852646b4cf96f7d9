/** What may be said of an error: its name, code and place. Messages of others may quote payloads and secrets. */

import { isWebhookInboxError } from "../errors.ts";
import type { ErrorSummary } from "./signals.ts";

const textCharactersMax = 200;

/** Errors of handlers whose words are ours. */
const ours = new WeakSet<Error>();

/** Marks an error whose message may be told: it says nothing that anybody has sent. */
export function ownWords<T extends Error>(error: T): T {
  ours.add(error);
  return error;
}

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
      message: isWebhookInboxError(error) || ours.has(error) ? error.message : undefined,
      at: placeOf(error.stack, error.message),
    };
  } catch {
    return { name: "unreadable error", code: undefined, message: undefined, at: undefined };
  }
}

/** An error in words for a log: the message of one of ours, which says what to do; else its name, code and place. */
export function errorText(error: unknown): string {
  const { name, code, message, at } = summaryOf(error);
  if (message !== undefined) return message.replace("[webhook-inbox] ", "");
  return [name, code, at === undefined ? undefined : `at ${at}`].filter(Boolean).join(" ");
}

/** Identifiers only: a name or code that somebody made from a payload is left out. */
function bounded(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w$.:-]{1,64}$/.test(value) ? value : undefined;
}

/** The first frame after the message, which may hold lines that look like frames. */
function placeOf(stack: unknown, message: unknown): string | undefined {
  if (typeof stack !== "string" || typeof message !== "string") return undefined;
  const start = stack.indexOf(message);
  if (start === -1) return undefined;
  const frames = stack.slice(start + message.length, start + message.length + 8192);
  const frame = /^\n {4}at ([\x20-\x7E]+:\d+:\d+\)?)$/m.exec(frames);
  return frame?.[1]?.slice(0, textCharactersMax);
}
