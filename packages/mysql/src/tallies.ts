/** `tally` and `audit` in MySQL: the ledger of what went which way, and the count that it is held against. */

import type { AuditAnswer, EventState, PruneAsk, Tally, TallyQuery } from "@webhook-inbox/core";
import { floorTo, hourMs, tallyBounds } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import type { Row, Run } from "./pool.ts";
import { Given, literal, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

const columns = "at, owner, source, type, from_state, to_state, count";

const given = new Given({
  at: "number",
  owner: "number",
  source: "text",
  type: "text",
  from_state: "text",
  to_state: "text",
  count: "number",
});

/** Adds what happened in this transaction. Nobody else writes under this owner meanwhile. */
export async function writeTallies(
  { run, tables: { tallies }, moves, now }: Pick<Writing, "run" | "tables" | "moves" | "now">,
  owner: string,
): Promise<void> {
  const rows = moves.tallies(now).map(({ at, source, type, from = "", to, count }) => ({
    at,
    owner: Number(owner),
    source,
    type,
    from_state: from,
    to_state: to,
    count,
  }));
  if (rows.length === 0) return;
  await run(
    `INSERT INTO ${tallies} (${columns})
     SELECT ${given.list("at", "owner", "source", "type", "from_state", "to_state", "count")} FROM ${given.table}
     ON DUPLICATE KEY UPDATE count = ${tallies}.count + ${given.sql("count")}`,
    [given.of(rows)],
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
  /** Sums up rows of a time: locked first, so that none is counted twice by who does the same. */
  const fold = async (which: string, at: string): Promise<void> => {
    await run(`SELECT at FROM ${tallies} WHERE ${which} FOR UPDATE`);
    await run(
      `INSERT INTO ${tallies} (${columns})
       SELECT * FROM (
         SELECT ${at} AS at, 0 AS owner, source, type, from_state, to_state, SUM(count) AS count
         FROM ${tallies} WHERE ${which} GROUP BY 1, 3, 4, 5, 6
       ) AS sums
       ON DUPLICATE KEY UPDATE count = ${tallies}.count + sums.count`,
    );
    await run(`DELETE FROM ${tallies} WHERE ${which}`);
  };
  if (oneBefore > 0) await fold(`at > 0 AND at < ${oneBefore}`, "0");
  const { rows } = await run(
    `SELECT MIN(at) AS at FROM ${tallies} WHERE owner <> 0 AND at > 0 AND at < ${hoursBefore}`,
  );
  const from = rows[0]?.["at"] === null ? hoursBefore : numberOf(rows[0]?.["at"]);
  if (from >= hoursBefore) return false;
  const to = Math.min(hoursBefore, floorTo(from, hourMs) + foldedMs);
  await fold(`owner <> 0 AND at >= ${from} AND at < ${to}`, `at - at % ${hourMs}`);
  return to < hoursBefore;
}

export async function tally(
  run: Run,
  { tallies }: Tables,
  query: TallyQuery,
): Promise<readonly Tally[]> {
  const { source, type, from = 0, before = Number.MAX_SAFE_INTEGER, stepMs = Infinity } = query;
  const at = Number.isFinite(stepMs) ? `at - at % ${Math.trunc(stepMs)}` : "0";
  const where = [
    `at >= ${Math.floor(from)}`,
    `at < ${Math.ceil(before)}`,
    ...(source === undefined ? [] : [`source = ${literal(source)}`]),
    ...(type === undefined ? [] : [`type = ${literal(type)}`]),
  ];
  const { rows } = await run(
    `SELECT ${at} AS step, source, type, from_state, to_state, SUM(count) AS count FROM ${tallies}
     WHERE ${where.join(" AND ")} GROUP BY step, source, type, from_state, to_state ORDER BY step`,
  );
  return rows.map(tallyOf);
}

function tallyOf(row: Row): Tally {
  const from = textOf(row["from_state"]);
  return {
    at: numberOf(row["step"]),
    source: textOf(row["source"]),
    type: textOf(row["type"]),
    from: from === "" ? undefined : (from as EventState),
    to: textOf(row["to_state"]) as Tally["to"],
    count: numberOf(row["count"]),
  };
}

/** Both of one instant: `run` is of a transaction that sees nothing later than its beginning. */
export async function audit(run: Run, tables: Tables): Promise<AuditAnswer> {
  const tallies = await tally(run, tables, {});
  const { rows } = await run(
    `SELECT state, COUNT(*) AS count FROM ${tables.events} GROUP BY state`,
  );
  const counted = Object.fromEntries(
    rows.map((row) => [textOf(row["state"]), numberOf(row["count"])]),
  );
  return { tallies, counted };
}
