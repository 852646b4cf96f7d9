/** A warning for who has several connections to a file with a version of SQLite in which that can go wrong. */

import type { DatabaseSync } from "node:sqlite";

/**
 * The first version of SQLite in which several connections, of processes or of threads, cannot damage a file when one
 * starts its journal anew (https://sqlite.org/wal.html, the WAL-reset bug).
 */
const safeToShare = [3, 51, 3] as const;

export function warnOfSharing(database: DatabaseSync): void {
  const version = String(database.prepare("SELECT sqlite_version() AS version").get()?.["version"]);
  const parts = version.split(".").map(Number);
  const at = safeToShare.findIndex((part, index) => part !== parts[index]);
  if (at === -1 || (parts[at] ?? 0) > (safeToShare[at] ?? 0)) return;
  process.emitWarning(
    `a SQLite file has several connections, of other processes or of this one's heartbeat thread, and SQLite ${version} of ` +
      `this Node can damage such a file in rare cases. Use a Node with SQLite ${safeToShare.join(".")} or later (24, or 22.23).`,
    { type: "WebhookInboxWarning", code: "SQLITE_SHARED" },
  );
}
