/** Brings the tables to this version: under a lock, step by step, and only forward. */

import { WebhookInboxError } from "@webhook-inbox/core";
import type { Run } from "./pool.ts";
import { beginning, steps } from "./schema.ts";
import { literal, tablesOf, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

/** How long to wait for another instance that does the same. */
const lockSeconds = 60;

/** What brings tables to this version after `from` steps, statement by statement; each may be run again. */
function statementsFrom(from: number, tables: Tables): readonly string[] {
  const worksFrom = Math.max(...steps.map((step) => step.worksFrom));
  return [
    beginning(tables),
    ...steps.slice(from).flatMap((step) => step.sql(tables)),
    `INSERT INTO ${tables.meta} (name, value) VALUES ('schema', ${steps.length}), ('works_from', ${worksFrom})
     ON DUPLICATE KEY UPDATE value = VALUES(value)`,
  ];
}

/** The steps after `from`, as SQL for a person or a migration tool to run. Throws `OPTION_INVALID` for a prefix that is none. */
export function schemaSql(
  options: { readonly prefix?: string; readonly from?: number } = {},
): string {
  const { prefix = "webhook_inbox", from = 0 } = options;
  return statementsFrom(from, tablesOf(prefix))
    .map((sql) => `${sql};\n`)
    .join("\n");
}

/**
 * Applies the steps that are missing; or, with `check`, throws `STORE_INCOMPATIBLE` when there are any, as it does for
 * tables of a later version. `run` is of one connection.
 */
export async function migrate(run: Run, tables: Tables, mode: "auto" | "check"): Promise<void> {
  const from = await isBehind(run, tables);
  if (from === undefined) return;
  if (mode === "check") {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `the tables "${tables.prefix}_…" are of version ${from}, and this version of webhook-inbox needs ${steps.length}. Run ` +
        `what schemaSql({ prefix: "${tables.prefix}", from: ${from} }) prints, or leave out migrate: "check".`,
    );
  }
  // Names of locks are those of the server, not of the database.
  const lock = `LEFT(SHA2(CONCAT('webhook-inbox ', DATABASE(), ' ', ${literal(tables.prefix)}), 256), 60)`;
  const { rows } = await run(`SELECT GET_LOCK(${lock}, ${lockSeconds}) AS held`);
  if (numberOf(rows[0]?.["held"]) !== 1) {
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `another instance has been changing the tables "${tables.prefix}_…" for more than ${lockSeconds} s. It is tried again.`,
    );
  }
  try {
    const now = await isBehind(run, tables);
    if (now === undefined) return;
    for (const sql of statementsFrom(now, tables)) await run(sql);
  } finally {
    await run(`DO RELEASE_LOCK(${lock})`);
  }
}

interface Version {
  readonly schema: number;
  readonly worksFrom: number;
}

async function versionOf(run: Run, { meta }: Tables): Promise<Version> {
  const { rows } = await run(`SELECT name, value FROM ${meta}`);
  const values = new Map(rows.map((row) => [textOf(row["name"]), numberOf(row["value"])]));
  return { schema: values.get("schema") ?? 0, worksFrom: values.get("works_from") ?? 0 };
}

/** How many steps were applied, if some are missing. */
async function isBehind(run: Run, tables: Tables): Promise<number | undefined> {
  const there = await run(
    `SELECT 1 AS there FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_name = '${tables.meta}'`,
  );
  if (there.rows.length === 0) return 0;
  const { schema, worksFrom } = await versionOf(run, tables);
  if (worksFrom > steps.length) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `the tables "${tables.prefix}_…" are of version ${schema}, which needs a webhook-inbox that knows at least ` +
        `${worksFrom}; this one knows ${steps.length}. Use the version that changed them, or a later one.`,
    );
  }
  return schema < steps.length ? schema : undefined;
}
