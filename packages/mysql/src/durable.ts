/** The proof that a commit of this server is durable, and that it can do what is asked of it. */

import { WebhookInboxError } from "@webhook-inbox/core";
import type { Row, Run } from "./pool.ts";
import { optional, textOf } from "./values.ts";

const names = [
  "innodb_flush_log_at_trx_commit",
  "innodb_doublewrite",
  "innodb_flush_method",
  "log_bin",
  "sync_binlog",
  "read_only",
  "innodb_read_only",
  "autocommit",
  "max_allowed_packet",
];

/**
 * Answers how many bytes a statement may have. Throws `STORE_LOSSY` for a server that would lose what it has committed, `STORE_UNAVAILABLE` for a replica, and
 * `STORE_INCOMPATIBLE` for a version that is too old or a session that does not commit by itself.
 */
export async function proveDurable(run: Run): Promise<number> {
  const { rows } = await run(
    `SELECT VERSION() AS version, DATABASE() AS name, ${names.map((name) => `@@${name} AS ${name}`).join(", ")}`,
  );
  const row = rows[0] ?? {};
  refuseVersion(textOf(row["version"] ?? ""));
  if (row["name"] === null) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      "the pool names no database to keep the tables in: give it one, as in mysql://user@host/database.",
    );
  }
  if (valueOf(row, "autocommit") !== "1") {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      "sessions of this pool have autocommit = 0, so that what is read stays as old as the session. Leave it on.",
    );
  }
  if (valueOf(row, "read_only") !== "0" || valueOf(row, "innodb_read_only") !== "0") {
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      "MySQL is read-only, as a replica is. Connect to the primary; it is tried again.",
    );
  }
  const flush = valueOf(row, "innodb_flush_log_at_trx_commit");
  // 3 is MariaDB's way to sync twice.
  if (flush !== "1" && flush !== "3") throw lossy("innodb_flush_log_at_trx_commit", flush, "1");
  const doublewrite = valueOf(row, "innodb_doublewrite");
  if (["0", "DETECT_ONLY"].includes(doublewrite)) {
    throw lossy("innodb_doublewrite", doublewrite, "ON");
  }
  const method = valueOf(row, "innodb_flush_method");
  if (["nosync", "littlesync"].includes(method))
    throw lossy("innodb_flush_method", method, "fsync");
  // After a crash what its binary log does not hold is undone.
  if (valueOf(row, "log_bin") !== "0" && valueOf(row, "sync_binlog") !== "1") {
    throw lossy("sync_binlog", valueOf(row, "sync_binlog"), "1");
  }
  return Number(valueOf(row, "max_allowed_packet"));
}

/** As a number or in words: servers differ. */
const valueOf = (row: Row, name: string): string => words[textIn(row, name)] ?? textIn(row, name);

const words: Readonly<Record<string, string>> = { OFF: "0", ON: "1" };

const textIn = (row: Row, name: string): string =>
  optional(row[name], (value) => (value instanceof Uint8Array ? textOf(value) : String(value))) ??
  "";

/** SKIP LOCKED and JSON_TABLE. */
function refuseVersion(version: string): void {
  const [, major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).map(
    Number,
  );
  const isMariaDb = /mariadb/i.test(version);
  const [needed, is] = isMariaDb
    ? ["MariaDB 10.6", major > 10 || (major === 10 && minor >= 6)]
    : ["MySQL 8.0.14", major > 8 || (major === 8 && (minor > 0 || patch >= 14))];
  if (is) return;
  throw new WebhookInboxError(
    "STORE_INCOMPATIBLE",
    `the server is of version ${version}; webhook-inbox needs ${needed} or later.`,
  );
}

function lossy(name: string, value: string, wanted: string): WebhookInboxError {
  return new WebhookInboxError(
    "STORE_LOSSY",
    `MySQL has ${name} = ${value}, so that what it has committed can be lost with the power. Set ${name} = ${wanted}.`,
  );
}
