/** The file of a SQLite store, beside what SQLite does with it. */

import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { WebhookInboxError } from "../../errors.ts";

/** Statements here number their parameters. An older `node:sqlite` opens a file, and then fails at each of them. */
export function refuseOldNode(): void {
  const database = new DatabaseSync(":memory:");
  try {
    database.prepare("SELECT ?1").get(1);
  } catch (cause) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `node:sqlite of Node ${process.version} cannot bind numbered parameters. Use Node 22 from 22.20, or 24.7 and later.`,
      { cause },
    );
  } finally {
    database.close();
  }
}

/**
 * Creates the file for its owner's eyes only. One that is there is not touched: to close any handle of it would drop the
 * locks that this process holds on it.
 */
export function createFor(filename: string): void {
  try {
    closeSync(openSync(filename, "ax", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Which file has this name now: another one, or none, when it was replaced or removed. */
export function identityOf(filename: string): string {
  const stats = statSync(filename, { throwIfNoEntry: false });
  return stats === undefined ? "none" : `${stats.dev}:${stats.ino}`;
}
