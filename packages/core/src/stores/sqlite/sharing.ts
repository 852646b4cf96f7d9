/** A warning for who shares a file between processes with a version of SQLite in which that can go wrong. */

import type { DatabaseSync } from "node:sqlite";

/** The first version of SQLite in which several processes cannot damage a file when one starts its journal anew. */
const safeToShare = [3, 51, 3] as const;

export function warnOfSharing(database: DatabaseSync): void {
  const version = String(database.prepare("SELECT sqlite_version() AS version").get()?.["version"]);
  const parts = version.split(".").map(Number);
  const at = safeToShare.findIndex((part, index) => part !== parts[index]);
  if (at === -1 || (parts[at] ?? 0) > (safeToShare[at] ?? 0)) return;
  process.emitWarning(
    `several processes share a SQLite file, and SQLite ${version} of this Node can damage such a file in rare cases. Use a ` +
      `Node with SQLite ${safeToShare.join(".")} or later (24, or 22.23), or one process for the file.`,
    { type: "WebhookInboxWarning", code: "SQLITE_SHARED" },
  );
}
