/** Errors of MySQL and MariaDB: which of them say that the database cannot be used now, and what to do about them. */

import { WebhookInboxError } from "@webhook-inbox/core";
import { isSpoiler, Undone } from "@webhook-inbox/core/records";

/** Of a statement that the server would not read, and would end the connection for: told before it is sent. */
export class TooLarge extends Error {
  constructor(bytes: number, bytesMax: number) {
    super(
      `a statement of ${bytes} bytes is larger than the server's max_allowed_packet, which is ${bytesMax}. Raise it above twice ` +
        "the largest body that is to be received.",
    );
  }
}

/** Undone by the server because of another transaction: safe to do again as a whole. */
const undone: ReadonlySet<number> = new Set([
  1020, // the row has changed since it was read
  1213, // a deadlock
  1615, // a statement that has to be prepared anew
  3101, // a conflict in a group of servers
]);

/** Of what is written: bad data, a broken constraint, something too large. */
const ofRow: ReadonlySet<number> = new Set([
  1048, 1062, 1118, 1153, 1216, 1217, 1264, 1265, 1292, 1301, 1364, 1366, 1406, 1451, 1452, 3140,
  3141, 3819, 4025, 4038,
]);

const advices: readonly (readonly [readonly number[], string])[] = [
  [
    [1044, 1045, 1049, 1142, 1227, 1698],
    "Check the user, the database and the rights that the pool connects with.",
  ],
  [
    [1290, 1792, 1836],
    "It is read-only: a replica, or one that is being switched over. It is tried again.",
  ],
  [
    [1040, 1203, 1226],
    "It has no connection left: lower the size of pools, or raise max_connections.",
  ],
  [[1021, 1037, 1041, 1114], "It is short of space or memory."],
  [[1205], "Somebody has been holding what is wanted for as long as it may be waited for."],
  [[1461], "Raise max_prepared_stmt_count: each connection prepares some thirty statements."],
  [[1146], "The tables of webhook-inbox are gone: start the inbox again to create them anew."],
  [
    [1665],
    "Its binary log is by statement: set binlog_format = ROW, as it is by default in MySQL 8, or MIXED.",
  ],
];

interface ServerError extends Error {
  readonly errno?: number;
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

/** What was raised by a trigger or a function in the database: its words may be about what is in a row. */
const raised = 1644;

/** The server's number of an error; undefined for others, those of the network among them. */
export function numberOfError(error: unknown): number | undefined {
  const { errno, sqlState } = (error instanceof Error ? error : {}) as ServerError;
  return typeof errno === "number" &&
    errno >= 1000 &&
    typeof sqlState === "string" &&
    sqlState !== ""
    ? errno
    : undefined;
}

/** The server ends a connection that has said this. */
const endings: ReadonlySet<number> = new Set([
  1040, 1053, 1077, 1079, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 4031,
]);

/**
 * Whether the connection can go on: the server has answered with an error and has not closed it; or it is not the server's. Not
 * after a function of the user's has failed: what it left under way would be committed, or come between statements of others.
 */
export function isAnswered(error: unknown): boolean {
  if (isSpoiler(error) || error instanceof Undone) return false;
  const number = numberOfError(error);
  if (!(error instanceof Error) || isOurs(error)) return true;
  return number !== undefined && !endings.has(number) && (error as ServerError).fatal !== true;
}

const isOurs = (error: Error): boolean =>
  error instanceof WebhookInboxError || error instanceof TooLarge;

export const mayRepeat = (error: unknown): boolean => undone.has(numberOfError(error) ?? 0);

/** Wraps what says that the database cannot be used now; leaves what is about a row, or ours already, as it is. */
export function unavailable(error: unknown): unknown {
  const number = numberOfError(error);
  if (!(error instanceof Error) || isOurs(error)) return error;
  if (number !== undefined && ofRow.has(number)) return error;
  const reason = number === raised ? "a trigger in it has failed" : error.message;
  const advice =
    advices.find(([numbers]) => numbers.includes(number ?? 0))?.[1] ??
    "Check that it runs, that it can be reached, and that the pool has a connection to give.";
  return new WebhookInboxError(
    "STORE_UNAVAILABLE",
    `MySQL cannot be used now: ${reason}${number === undefined ? "" : ` (${number})`}. ${advice}`,
    { cause: error },
  );
}
