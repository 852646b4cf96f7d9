/** Partitions of deliveries, one for each day (UTC): made ahead of time, and dropped whole once the day is forgotten. */

import type { Run } from "./pool.ts";
import type { Tables } from "./tables.ts";

const dayMs = 86_400_000;
/** Days that are made ahead; upkeep comes by every hour. */
const aheadMax = 7;

export interface Day {
  /** Name of its table, not quoted. */
  readonly table: string;
  /** Its first instant, and the first after it. */
  readonly from: number;
  readonly before: number;
}

const tableOf = (from: number): string =>
  `deliveries_${new Date(from).toISOString().slice(0, 10).replaceAll("-", "_")}`;

/**
 * Makes the days from today on that are missing. One that cannot be made is no harm: its deliveries go where those of no
 * day are.
 */
export async function makeDays(run: Run, tables: Tables, now: number): Promise<void> {
  const there = new Set((await daysOf(run, tables)).map(({ table }) => table));
  const today = now - (now % dayMs);
  for (let from = today; from <= today + aheadMax * dayMs; from += dayMs) {
    const table = tableOf(from);
    if (there.has(table)) continue;
    await run(
      `CREATE TABLE IF NOT EXISTS ${tables.named(table)} PARTITION OF ${tables.deliveries}
       FOR VALUES FROM (${from}) TO (${from + dayMs})`,
    ).catch(() => undefined);
  }
}

/** Days that there are, oldest first. */
export async function daysOf(run: Run, { schema }: Tables): Promise<readonly Day[]> {
  const rows = await run(
    `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
       JOIN pg_namespace n ON n.oid = p.relnamespace
     WHERE n.nspname = $1 AND p.relname = 'deliveries' ORDER BY 1`,
    [schema],
  );
  return rows.flatMap((row) => {
    const table = String(row["relname"]);
    const [, year, month, day] = /^deliveries_(\d{4})_(\d\d)_(\d\d)$/.exec(table) ?? [];
    if (year === undefined) return [];
    const from = Date.UTC(Number(year), Number(month) - 1, Number(day));
    return [{ table, from, before: from + dayMs }];
  });
}

/** More than this is not moved aside while everyone waits. */
const movedMax = 1000;

/**
 * Forgets a day, but for what is needed still: that is moved to the deliveries of no day. Answers how many deliveries
 * were forgotten; undefined when so many are needed that they go one by one. Runs in a transaction.
 */
export async function dropDay(
  run: Run,
  { deliveries, named }: Tables,
  day: Day,
  needed: string,
): Promise<number | undefined> {
  const table = named(day.table);
  const count = async (where: string): Promise<number> => {
    const [row] = await run(
      `SELECT count(*) AS count FROM (SELECT 1 FROM ${table} AS d WHERE ${where} LIMIT ${movedMax + 1}) AS some`,
    );
    return Number(row?.["count"]);
  };
  if ((await count(needed)) > movedMax) return undefined;
  const [all] = await run(`SELECT count(*) AS count FROM ${table}`);
  // From here on everyone waits who wants a delivery: what is done is looked at again, and little.
  await run(`LOCK TABLE ${deliveries} IN ACCESS EXCLUSIVE MODE`);
  if ((await count(needed)) > movedMax) return undefined;
  await run(`ALTER TABLE ${deliveries} DETACH PARTITION ${table}`);
  const moved = await run(
    `INSERT INTO ${deliveries} SELECT * FROM ${table} AS d WHERE ${needed} RETURNING id`,
  );
  await run(`DROP TABLE ${table}`);
  return Number(all?.["count"]) - moved.length;
}
