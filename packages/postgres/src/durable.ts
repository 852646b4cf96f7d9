/** The proof that a commit of this server is durable. */

import { WebhookInboxError } from "@webhook-inbox/core";
import type { Run } from "./pool.ts";

/** Settings without which a commit may not survive the loss of power, and what they must not be. */
const settings: Readonly<Record<string, string>> = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
};

/** Throws `STORE_LOSSY` for a server that would lose what it has committed, and `STORE_UNAVAILABLE` for a standby. */
export async function proveDurable(run: Run): Promise<void> {
  const rows = await run(
    "SELECT name, setting, pg_is_in_recovery() AS is_standby FROM pg_settings WHERE name = ANY ($1)",
    [Object.keys(settings)],
  );
  for (const row of rows) {
    const name = String(row["name"]);
    if (row["setting"] !== settings[name]) continue;
    throw new WebhookInboxError(
      "STORE_LOSSY",
      `PostgreSQL has ${name} = off, so that what it has committed can be lost with the power. Set ${name} = on for the ` +
        "database or the user of this pool.",
    );
  }
  if (rows[0]?.["is_standby"] === true) {
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      "PostgreSQL is a standby, which cannot be written. Connect to the primary; it is tried again.",
    );
  }
}
