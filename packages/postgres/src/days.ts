/** Partitions of deliveries, one for each day (UTC): made ahead of time, and dropped whole once the day is forgotten. */

import { prunable } from "@webhook-inbox/core";
import { everyState } from "@webhook-inbox/core/records";
import type { Connection } from "./connection.ts";
import { sourcesOf } from "./page.ts";
import type { PostgresClient, Row, Run } from "./pool.ts";
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

/** How long everyone may have to wait for the locks that making or dropping a day takes. */
const lockMs = 500;

/**
 * Makes the days from today on that are missing. Those that cannot be made now are no harm: their deliveries go where those
 * of no day are.
 */
export async function makeDays(
  connection: Pick<Connection<PostgresClient>, "run" | "transaction">,
  tables: Tables,
  now: number,
): Promise<void> {
  const there = new Set((await daysOf(connection.run, tables)).map(({ table }) => table));
  const today = now - (now % dayMs);
  const ahead = Array.from({ length: aheadMax + 1 }, (_, n) => today + n * dayMs);
  const missing = ahead.filter((from) => !there.has(tableOf(from)));
  if (missing.length === 0) return;
  const making = missing.map(
    (from) => `
      CREATE TABLE IF NOT EXISTS ${tables.named(tableOf(from))} PARTITION OF ${tables.deliveries}
      FOR VALUES FROM (${from}) TO (${from + dayMs})`,
  );
  const made = connection.transaction(async ({ run }) => {
    await run([`SET LOCAL lock_timeout = ${lockMs}`, ...making].join("; "));
  });
  await made.catch(() => undefined);
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

const unfinished = everyState.filter((state) => !prunable.includes(state));

/**
 * Forgets a day, but for what is needed still: that is moved to the deliveries of no day. Answers how many deliveries
 * were forgotten; undefined when so many are needed that they go one by one. Runs in a transaction.
 */
export async function dropDay(run: Run, tables: Tables, day: Day): Promise<number | undefined> {
  const { deliveries, events, named } = tables;
  const table = named(day.table);
  const sources = await sourcesOf(run, tables);
  /** Deliveries of events that are not over, found by the index of lists. */
  const needed = async (): Promise<readonly Row[]> =>
    await run(
      `SELECT e.received_at, e.delivery FROM unnest($1::text[]) AS s, unnest($2::text[]) AS t, LATERAL (
         SELECT received_at, delivery FROM ${events}
         WHERE source = s AND state = t AND received_at >= $3 AND received_at < $4 LIMIT ${movedMax + 1}
       ) AS e LIMIT ${movedMax + 1}`,
      [sources, unfinished, day.from, day.before],
    );
  if ((await needed()).length > movedMax) return undefined;
  const [all] = await run(`SELECT count(*) AS count FROM ${table}`);
  // From here on everyone waits who wants a delivery: what is done is looked at again, and little.
  await run(`SET LOCAL lock_timeout = ${lockMs}`);
  await run(`LOCK TABLE ${deliveries} IN ACCESS EXCLUSIVE MODE`);
  const kept = await needed();
  if (kept.length > movedMax) return undefined;
  await run(`ALTER TABLE ${deliveries} DETACH PARTITION ${table}`);
  const moved = await run(
    `INSERT INTO ${deliveries} SELECT * FROM ${table}
     WHERE (received_at, id) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[])) RETURNING id`,
    [kept.map((row) => row["received_at"]), kept.map((row) => row["delivery"])],
  );
  await run(`DROP TABLE ${table}`);
  return Number(all?.["count"]) - moved.length;
}
