/** Brings the file to this version's schema, and frees what dead processes held. Both run inside one transaction. */

import type { DatabaseSync } from "node:sqlite";
import { WebhookInboxError } from "../../errors.ts";
import { createMeta, steps } from "./schema.ts";

/** Applies the steps that are missing. Throws `STORE_INCOMPATIBLE` for a file that a later version has changed. */
export function migrate(database: DatabaseSync): void {
  database.exec(createMeta);
  const row = database.prepare("SELECT value FROM webhook_inbox_meta WHERE name = 'schema'").get();
  const version = Number(row?.["value"] ?? 0);
  if (version > steps.length) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `the SQLite file has schema ${version}, and this version of webhook-inbox knows ${steps.length}. Use the version ` +
        "that wrote it, or a later one.",
    );
  }
  if (version === steps.length) return;
  for (const step of steps.slice(version)) database.exec(step);
  database
    .prepare("INSERT OR REPLACE INTO webhook_inbox_meta (name, value) VALUES ('schema', ?)")
    .run(steps.length);
}

/**
 * Makes every running event due at once, each with a crash more: called when nobody else has the file open, so that
 * whoever held them is dead. A restart need not wait for their leases to end.
 */
export function releaseAll(database: DatabaseSync, now: number): void {
  database
    .prepare(
      `UPDATE webhook_inbox_events
       SET state = 'pending', due_at = ?, crashes = crashes + 1, fence = NULL, lease_ends_at = NULL
       WHERE state = 'running'`,
    )
    .run(now);
}
