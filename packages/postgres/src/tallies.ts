/** `tally` and `audit` in PostgreSQL: the ledger of what went which way, and the count that it is held against. */

import type { AuditAnswer, EventState, PruneAsk, Tally, TallyQuery } from "@webhook-inbox/core";
import { floorTo, hourMs, Moves, tallyBounds } from "@webhook-inbox/core/records";
import type { Session } from "./connection.ts";
import type { Row, Run } from "./pool.ts";
import { columnsOf } from "./rows.ts";
import { nowMs, type Tables } from "./tables.ts";

const columns = "at, owner, source, type, from_state, to_state, count";
const adding = (tallies: string): string =>
  `ON CONFLICT (at, owner, source, type, from_state, to_state) DO UPDATE SET count = ${tallies}.count + excluded.count`;

/**
 * SQL that adds, in the statement that moves them, what `moved` says: a query of `source, type, from_state, to_state, count`.
 * `owner` is the place of the parameter.
 */
export function addingMoves({ tallies }: Tables, moved: string, owner: string): string {
  return `
    INSERT INTO ${tallies} (${columns})
    SELECT m.at - m.at % 60000, ${owner}::bigint, source, type, from_state, to_state, sum(count)
    FROM (${moved}) AS moved, (SELECT ${nowMs} AS at) AS m
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 3, 4, 5, 6
    ${adding(tallies)}`;
}

/** Adds what happened in this transaction. */
export async function writeTallies(
  { run, owner }: Session,
  { tallies }: Tables,
  moves: Moves,
  now: number,
): Promise<void> {
  const rows = moves.tallies(now);
  if (rows.length === 0) return;
  await run(
    `INSERT INTO ${tallies} (${columns})
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
     ${adding(tallies)}`,
    columnsOf(rows, [
      ({ at }) => at,
      () => owner,
      ({ source }) => source,
      ({ type }) => type,
      ({ from = "" }) => from,
      ({ to }) => to,
      ({ count }) => count,
    ]),
  );
}

/** How much time is summed up in one step. */
const foldedMs = 6 * hourMs;

/** Sums up what is long ago, so that the table stays small, one step in a call. Answers whether there is more to do. */
export async function foldTallies(
  run: Run,
  { tallies }: Tables,
  ask: PruneAsk,
  now: number,
): Promise<boolean> {
  const { hoursBefore, oneBefore } = tallyBounds(ask, now);
  /** Sums up rows of a time, in one statement: nothing is counted twice, or missed, by who reads meanwhile. */
  const fold = (which: string, at: string): string => `
    WITH old AS (DELETE FROM ${tallies} WHERE ${which} RETURNING *)
    INSERT INTO ${tallies} (${columns})
    SELECT ${at}, 0, source, type, from_state, to_state, sum(count) FROM old GROUP BY 1, 2, 3, 4, 5, 6
    ${adding(tallies)}`;
  if (oneBefore > 0) await run(fold("at > 0 AND at < $1", "0"), [oneBefore]);
  const [first] = await run(
    `SELECT min(at) AS at FROM ${tallies} WHERE owner <> 0 AND at > 0 AND at < $1`,
    [hoursBefore],
  );
  const from = Number(first?.["at"] ?? hoursBefore);
  if (from >= hoursBefore) return false;
  const to = Math.min(hoursBefore, floorTo(from, hourMs) + foldedMs);
  await run(fold("owner <> 0 AND at >= $1 AND at < $2", `at - at % ${hourMs}`), [from, to]);
  return to < hoursBefore;
}

export async function tally(
  run: Run,
  { tallies }: Tables,
  query: TallyQuery,
): Promise<readonly Tally[]> {
  const { from = 0, before = Number.MAX_SAFE_INTEGER, stepMs = Infinity } = query;
  const step = Number.isFinite(stepMs) ? stepMs : Number.MAX_SAFE_INTEGER;
  const rows = await run(
    `SELECT at - at % $1::bigint AS at, source, type, from_state, to_state, sum(count) AS count
     FROM ${tallies}
     WHERE at >= $2 AND at < $3 AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR type = $5)
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1`,
    [step, Math.floor(from), Math.ceil(before), query.source ?? null, query.type ?? null],
  );
  return rows.map((row) => tallyOf(row, stepMs));
}

function tallyOf(row: Row, stepMs: number): Tally {
  return {
    at: floorTo(Number(row["at"]), stepMs),
    source: row["source"] as string,
    type: row["type"] as string,
    from: row["from_state"] === "" ? undefined : (row["from_state"] as EventState),
    to: row["to_state"] as Tally["to"],
    count: Number(row["count"]),
  };
}

/** Both of one instant; `run` is of a transaction that sees nothing later than its first statement. */
export async function audit(run: Run, tables: Tables): Promise<AuditAnswer> {
  await run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const tallies = await tally(run, tables, {});
  const rows = await run(`SELECT state, count(*) AS count FROM ${tables.events} GROUP BY state`);
  const counted = Object.fromEntries(rows.map((row) => [row["state"], Number(row["count"])]));
  return { tallies, counted };
}

/** Tallies events that were forgotten. */
export async function tallyPruned(
  session: Session,
  tables: Tables,
  gone: readonly Row[],
  now: number,
): Promise<void> {
  const moves = new Moves();
  for (const row of gone) {
    const { source, type, state } = row as { source: string; type: string; state: "done" };
    moves.add({ source, type, from: state, to: "pruned" });
  }
  await writeTallies(session, tables, moves, now);
}
