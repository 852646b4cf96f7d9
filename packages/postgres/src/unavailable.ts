/** Errors of PostgreSQL: which of them say that the database cannot be used now, and what to do about them. */

import { WebhookInboxError } from "@webhook-inbox/core";
import { isSpoiler, Undone } from "@webhook-inbox/core/records";

/** Classes of SQLSTATE that are about what is written: bad data, a broken constraint, a row that is too large. */
const ofRow = /^(?:22|23|54)/;

/** Undone by the server because of another transaction: safe to do again. */
const undone: ReadonlySet<string> = new Set(["40001", "40P01"]);

/** A statement that is prepared under this name elsewhere, or not here: a pooler gives each transaction another server. */
const misnamed: ReadonlySet<string> = new Set(["26000", "42P05"]);

const advices: readonly (readonly [RegExp, string])[] = [
  [/^(?:28|3D|42501)/, "Check the user, the database and the rights that the pool connects with."],
  [
    /^(?:25006|.*read-only)/,
    "It is read-only: a standby, or one that is short of space. It is tried again.",
  ],
  [/^53300/, "It has no connection left: lower the size of pools, or raise max_connections."],
  [/^53/, "It is short of space or memory."],
  [
    /^(?:42P01|3F000)/,
    "The schema of webhook-inbox is gone: start the inbox again to create it anew.",
  ],
];

/** Errors that are raised by functions in the database, whose words may be about what is in a row. */
const raised = /^(?:P0|2F|38|39|45)/;

/** The SQLSTATE of an error; for one of the network its own code; empty for others. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

/**
 * Whether the connection can go on: the server has answered with an error and has not closed it; or it is not the server's. Not
 * after a function of the user's has failed: what it left under way would be committed, or come between statements of others.
 */
export function isAnswered(error: unknown): boolean {
  if (isSpoiler(error) || error instanceof Undone) return false;
  if (error instanceof WebhookInboxError) return true;
  return /^(?!08|57P)(?=.*\d)[0-9A-Z]{5}$/.test(codeOf(error));
}

export const mayRepeat = (error: unknown): boolean => undone.has(codeOf(error));

export const isMisnamed = (error: unknown): boolean => misnamed.has(codeOf(error));

/** Wraps what says that the database cannot be used now; leaves what is about a row, or ours already, as it is. */
export function unavailable(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof WebhookInboxError || ofRow.test(code)) return error;
  const reason = raised.test(code) ? "a function in it has failed" : wordsOf(error);
  const advice =
    advices.find(([pattern]) => pattern.test(code))?.[1] ??
    "Check that it runs, that it can be reached, and that the pool has a connection to give.";
  return new WebhookInboxError(
    "STORE_UNAVAILABLE",
    `PostgreSQL cannot be used now: ${reason}${code === "" ? "" : ` (${code})`}. ${advice}`,
    { cause: error },
  );
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
