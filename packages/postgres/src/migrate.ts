/** Brings the schema to this version: under a lock, in one transaction, and only forward. */

import { WebhookInboxError } from "@webhook-inbox/core";
import type { Row, Run } from "./pool.ts";
import { beginning, steps } from "./schema.ts";
import { tablesOf, type Tables } from "./tables.ts";

/** Any number, as long as nobody else has it. */
const lockKey = 7_308_043_112_594_513n;

const place = (name: string, value: number, { meta }: Tables): string =>
  `INSERT INTO ${meta} (name, value) VALUES ('${name}', ${value})
  ON CONFLICT (name) DO UPDATE SET value = excluded.value;`;

/** The steps after `from`, as SQL for a person or a migration tool to run in one transaction. */
export function schemaSql(
  options: { readonly schema?: string; readonly from?: number } = {},
): string {
  const { schema = "webhook_inbox", from = 0 } = options;
  const tables = tablesOf(schema);
  const texts = steps.slice(from).map(({ sql }) => sql(tables).trim());
  const worksFrom = Math.max(...steps.map((step) => step.worksFrom));
  return [
    beginning(tables).trim(),
    ...texts,
    place("schema", steps.length, tables),
    place("works_from", worksFrom, tables),
    "",
  ].join("\n\n");
}

interface Version {
  readonly schema: number;
  readonly worksFrom: number;
}

/** Of a database without the schema: 0. */
async function versionOf(run: Run, { schema, meta }: Tables): Promise<Version> {
  // Asked of the catalogue: to_regclass() may still answer what was true before the lock was had.
  const [there] = await run(
    `SELECT EXISTS (
       SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'meta'
     ) AS there`,
    [schema],
  );
  if (there?.["there"] !== true) return { schema: 0, worksFrom: 0 };
  const rows = await run(`SELECT name, value FROM ${meta}`);
  const of = (name: string): number =>
    Number(rows.find((row: Row) => row["name"] === name)?.["value"] ?? 0);
  return { schema: of("schema"), worksFrom: of("works_from") };
}

/** Whether steps are missing. Throws `STORE_INCOMPATIBLE` for a schema that this version cannot work with any more. */
async function isBehind(run: Run, tables: Tables): Promise<number | undefined> {
  const { schema, worksFrom } = await versionOf(run, tables);
  if (worksFrom > steps.length) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `the schema "${tables.schema}" is of version ${schema}, which needs a webhook-inbox that knows at least ${worksFrom}; ` +
        `this one knows ${steps.length}. Use the version that changed it, or a later one.`,
    );
  }
  return schema < steps.length ? schema : undefined;
}

/**
 * Applies the steps that are missing, inside `transaction`; or, with `check`, throws `STORE_INCOMPATIBLE` when there are
 * any. Two instances that start at once wait for one another.
 */
export async function migrate(
  run: Run,
  transaction: (work: (run: Run) => Promise<void>) => Promise<void>,
  tables: Tables,
  mode: "auto" | "check",
): Promise<void> {
  const from = await isBehind(run, tables);
  if (from === undefined) return;
  if (mode === "check") {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `the schema "${tables.schema}" is of version ${from}, and this version of webhook-inbox needs ${steps.length}. ` +
        `Run what schemaSql({ schema: "${tables.schema}", from: ${from} }) prints, or leave out migrate: "check".`,
    );
  }
  await transaction(async (within) => {
    await within("SELECT pg_advisory_xact_lock($1)", [String(lockKey)]);
    const now = await isBehind(within, tables);
    if (now !== undefined) await within(schemaSql({ schema: tables.schema, from: now }));
  });
}
