/** Errors of SQLite: which of them say that the file cannot be used now, and what to do about them. */

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { WebhookInboxError } from "../../errors.ts";

export const busy = 5;
export const locked = 6;
/** Result codes that say the file cannot be used now, whatever is written: permissions, space, the disk, corruption. */
const unavailableCodes: ReadonlySet<number> = new Set([busy, locked, 7, 8, 10, 11, 13, 14, 15, 26]);

/** Those of them that no waiting mends: the file is no database, or a damaged one. */
const damagedCodes: ReadonlySet<number> = new Set([11, 26]);

/** The primary result code of a SQLite error; undefined for any other. */
export function resultCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode & 255
    : undefined;
}

/** Wraps what says that the file cannot be used now; leaves what is about a row, or ours already, as it is. */
export function unavailable(error: unknown, filename: string): unknown {
  const code = resultCode(error);
  const isOfSystem = error instanceof Error && "syscall" in error;
  // The file was let go while somebody waited for it.
  const hasClosed = error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
  if (!isOfSystem && !hasClosed && (code === undefined || !unavailableCodes.has(code)))
    return error;
  const reason = error instanceof Error ? error.message : "";
  const directory = dirname(filename);
  const advice = !existsSync(directory)
    ? `Its directory is not there: mkdir -p ${directory}`
    : code !== undefined && damagedCodes.has(code)
      ? "Give the path of a SQLite file, of one that does not exist yet, or restore it from a backup."
      : "Check that its directory exists, that this process may write there, that the disk has space, and that no other " +
        "process holds its lock for long.";
  return new WebhookInboxError(
    "STORE_UNAVAILABLE",
    `SQLite file "${filename}" cannot be used now: ${reason}. ${advice}`,
    { cause: error },
  );
}
