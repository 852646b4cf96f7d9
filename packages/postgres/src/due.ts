/** What waits in PostgreSQL: types of which there is something, and when something will be due. */

import type { ClaimAsk } from "@webhook-inbox/core";
import { forever, type Room } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { nowMs, type Tables } from "./tables.ts";

/** Types looked at in one call: a sender may think of any number of them. */
const typesMax = 1000;

/** Types of a source of which something waits, found by leaping; where there are too many, each call goes on. */
export async function waitingTypes(
  run: Run,
  { events }: Tables,
  source: string,
  walks: Map<string, string>,
): Promise<readonly string[]> {
  const walk = async (from: string, most: number): Promise<readonly string[]> => {
    const waits = "e.state = 'pending' AND e.crashes = 0 AND e.source = $1";
    const rows = await run(
      `WITH RECURSIVE walk AS (
         SELECT (SELECT min(e.type) FROM ${events} AS e WHERE ${waits} AND ($2 = '' OR e.type > $2)) AS type, 1 AS place
         UNION ALL
         SELECT (SELECT min(e.type) FROM ${events} AS e WHERE ${waits} AND e.type > walk.type), place + 1
         FROM walk WHERE walk.type IS NOT NULL AND place < $3
       ) SELECT type FROM walk WHERE type IS NOT NULL`,
      [source, from, most],
    );
    return rows.map((row) => row["type"] as string);
  };
  const from = walks.get(source) ?? "";
  const types = [...(await walk(from, typesMax))];
  if (from !== "" && types.length < typesMax) {
    const more = await walk("", typesMax - types.length);
    types.push(...more.filter((type) => !types.includes(type)));
  }
  walks.set(source, types.length < typesMax ? "" : (types.at(-1) ?? ""));
  return types;
}

/** Milliseconds until something of the sources may be claimed; suspects count only while one may run. */
export async function untilDue(
  run: Run,
  { events }: Tables,
  { slots, suspectsMax, crashesMax }: ClaimAsk,
  room: Room,
  types: ReadonlyMap<string, readonly string[]>,
): Promise<number | undefined> {
  const sources = Object.keys(slots);
  const ofTypes = sources.flatMap((source) =>
    (types.get(source) ?? [])
      .filter((type) => !room.isFull(source, type))
      .map((type) => ({ source, type })),
  );
  const first = (where: string, at: string): string =>
    `(SELECT e.${at} FROM ${events} AS e WHERE ${where} ORDER BY e.${at} LIMIT 1)`;
  const waits = "e.state = 'pending' AND e.crashes = 0";
  const due = [false, true].flatMap((replayed) => [
    `SELECT ${first(`${waits} AND e.source = s AND e.replayed = ${replayed}`, "due_at")} AS at FROM unnest($1::text[]) AS s`,
    `SELECT ${first(`${waits} AND e.source = s AND e.type = t AND e.replayed = ${replayed}`, "due_at")}
     FROM unnest($2::text[], $3::text[]) AS l (s, t)`,
  ]);
  const suspects = [
    ["e.state = 'pending' AND e.crashes > 0 AND e.crashes <= $5", "due_at"],
    ["e.state = 'running' AND e.crashes < $5", "lease_ends_at"],
  ].map(
    ([where, at]) => `
      SELECT min(e.${at}) AS at, e.source, e.type FROM ${events} AS e
      WHERE ${where} AND e.source = ANY ($4) AND $6 GROUP BY 2, 3`,
  );
  const rows = await run(
    `SELECT min(at) - ${nowMs} AS wait, NULL AS source, NULL AS type FROM (${due.join(" UNION ALL ")}) AS due
     UNION ALL SELECT at - ${nowMs}, source, type FROM (${suspects.join(" UNION ALL ")}) AS suspects`,
    [
      sources.filter((source) => !types.has(source)),
      ofTypes.map(({ source }) => source),
      ofTypes.map(({ type }) => type),
      sources,
      Math.min(crashesMax, 1_000_000),
      suspectsMax > 0,
    ],
  );
  const waitsMs = rows
    .filter((row) => row["wait"] !== null)
    .filter(
      (row) => row["source"] === null || !room.isFull(String(row["source"]), String(row["type"])),
    )
    .map((row) => Math.max(0, Number(row["wait"])))
    // What waits in its lane is due when others make room, and is found then.
    .filter((wait) => wait < forever / 2);
  return waitsMs.length === 0 ? undefined : Math.min(...waitsMs);
}
