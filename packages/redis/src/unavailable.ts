/** Errors of Redis: which of them say that the server cannot be used now, and what to do about them. */

import { WebhookInboxError } from "@webhook-inbox/core";

const advices: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:NOTHERE|TRYAGAIN|non local key)\b/,
    "Its slot of the cluster is being moved, or was: stop the inbox before that, and start it afterwards.",
  ],
  [/\bOOM\b/, "It has no memory left: raise maxmemory, or shorten the retention."],
  [/\bMISCONF\b/, "It cannot write to its disk."],
  [/\bREADONLY\b/, "It is a replica, which cannot be written. It is tried again."],
  [/\bLOADING\b/, "It is reading its file. It is tried again."],
  [
    /\b(?:NOAUTH|NOPERM|WRONGPASS|The user executing)\b/,
    "Check the user and the rights that the client connects with.",
  ],
];

/** An error of one command: a row that cannot be written. All others are about the server. */
const ofCommand =
  /^ERR (?!max number of clients|The user executing|Script attempted to access a non local key|.*(?:CLUSTERDOWN|TRYAGAIN))/;

/** Wraps what says that the server cannot be used now; leaves what is about a row, or ours already, as it is. */
export function unavailable(error: unknown): unknown {
  const reason = error instanceof Error ? error.message || error.name : String(error);
  if (error instanceof WebhookInboxError || ofCommand.test(reason)) return error;
  const advice =
    advices.find(([pattern]) => pattern.test(reason))?.[1] ??
    "Check that it runs, and that the client is connected to it.";
  return new WebhookInboxError(
    "STORE_UNAVAILABLE",
    `Redis cannot be used now: ${reason.slice(0, 300)}. ${advice}`,
    { cause: error },
  );
}
