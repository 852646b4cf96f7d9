/**
 * `claim` in PostgreSQL: one statement finds what is due, leaves aside what others are just claiming, and takes it. Only
 * when it has found less than was asked does a second one look for what will be due next.
 */

import type { Claim, ClaimAnswer, ClaimAsk } from "@webhook-inbox/core";
import { Room } from "@webhook-inbox/core/records";
import { untilDue, waitingTypes } from "./due.ts";
import type { Row, Run } from "./pool.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, ofEvent } from "./rows.ts";
import { nowMs, textOf, type Tables } from "./tables.ts";

/** Where to look, and how far: a source, or a type of one whose types are limited. */
interface Look {
  readonly source: string;
  readonly type: string | undefined;
  readonly most: number;
}

export async function claimDue(
  run: Run,
  tables: Tables,
  ask: ClaimAsk,
  walks: Map<string, string>,
): Promise<ClaimAnswer> {
  const room = new Room(ask);
  const sources = Object.keys(ask.slots);
  const types = new Map<string, readonly string[]>();
  for (const source of sources.filter((name) => room.isLimited(name))) {
    types.set(source, await waitingTypes(run, tables, source, walks));
  }
  const looks = sources.flatMap((source): readonly Look[] => {
    const slots = ask.slots[source] ?? 0;
    const limited = types.get(source);
    if (limited === undefined) return [{ source, type: undefined, most: slots }];
    return limited.map((type) => ({
      source,
      type,
      most: Math.min(slots, room.left(source, type)),
    }));
  });
  const rows = await run(claimSql(tables), claimValues(ask, looks));
  const claims = rows.filter((row) => row["key"] !== null).map((row) => claimOf(row, ask.fence));
  for (const { event } of claims) room.use(event.source, event.type);
  const suspects = claims.filter(({ event }) => event.crashes > 0).length;
  const isMore = rows[0]?.["is_more"] === true;
  const nextDueInMs = isMore
    ? 0
    : await untilDue(run, tables, { ...ask, suspectsMax: ask.suspectsMax - suspects }, room, types);
  return { claims, nextDueInMs };
}

function claimOf(row: Row, fence: string): Claim {
  return { event: eventOf(row), delivery: deliveryOf(row), fence };
}

function claimValues(ask: ClaimAsk, looks: readonly Look[]): readonly unknown[] {
  const whole = looks.filter(({ type }) => type === undefined);
  const ofType = looks.filter(({ type }) => type !== undefined);
  const sources = Object.entries(ask.slots);
  const full = Object.entries(ask.typesMax ?? {}).flatMap(([source, types]) =>
    Object.entries(types).map(([type, most]) => ({ source, type, most })),
  );
  return [
    whole.map(({ source }) => source),
    whole.map(({ most }) => most),
    ofType.map(({ source }) => source),
    ofType.map(({ type }) => type),
    ofType.map(({ most }) => most),
    sources.map(([source]) => source),
    sources.map(([, slots]) => slots),
    full.map(({ source }) => source),
    full.map(({ type }) => type),
    full.map(({ most }) => most),
    Math.min(ask.suspectsMax, 1_000_000),
    Math.min(ask.crashesMax, 1_000_000),
    ask.bytesMax,
    ask.fence,
    ask.leaseMs,
  ];
}

const columns = "key, seq, source, type, size, replayed, due_at, crashes";
const found = "e.key, e.seq, e.source, e.type, e.size, e.replayed, e.due_at, e.crashes";

/** Queries of what is due, which lock what nobody else is just claiming; and `left`, whether there is more of it. */
function searching({ events }: Tables): {
  readonly suspects: string;
  readonly waiting: string;
  readonly left: string;
} {
  const due = (where: string, replayed: boolean): string => `
    FROM ${events} AS e
    WHERE e.state = 'pending' AND e.crashes = 0 AND ${where} AND e.replayed = ${replayed} AND e.due_at <= now
    ORDER BY e.due_at, e.seq`;
  const suspects = (where: string, at: string, lapsed: 0 | 1): string => `
    SELECT f.* FROM wanted AS w, instant, LATERAL (
    SELECT ${found.replace("e.due_at", `e.${at} AS due_at`)}, ${lapsed} AS lapsed FROM ${events} AS e
    WHERE ${where} AND e.source = w.source AND e.${at} <= now AND e.crashes + ${lapsed} <= $12
    ORDER BY e.crashes DESC LIMIT 1000 FOR UPDATE SKIP LOCKED) AS f
    WHERE slots > 0 AND $11 > 0`;
  const looks = [
    ["unnest($1::text[], $2::integer[]) AS l (source, most)", "e.source = l.source"],
    [
      "unnest($3::text[], $4::text[], $5::integer[]) AS l (source, type, most)",
      "e.source = l.source AND e.type = l.type",
    ],
  ].flatMap(([from = "", where = ""]) =>
    [false, true].map((replayed) => ({ from, due: due(where, replayed) })),
  );
  const waiting = looks.map(
    ({ from, due: rows }) => `
      SELECT f.* FROM ${from}, instant,
        LATERAL (SELECT ${found}, 0 AS lapsed ${rows} LIMIT most FOR UPDATE SKIP LOCKED) AS f
      WHERE most > 0`,
  );
  // Of types, what is left may be what must be left.
  const left = looks.slice(0, 2).map(
    ({ from, due: rows }) => `
      EXISTS (
        SELECT FROM ${from}, instant, LATERAL (SELECT e.key ${rows} LIMIT most + 1) AS f
        WHERE most > 0 AND f.key NOT IN (SELECT key FROM of_types)
      )`,
  );
  return {
    suspects: [
      suspects("e.state = 'pending' AND e.crashes > 0", "due_at", 0),
      suspects("e.state = 'running'", "lease_ends_at", 1),
    ].join(" UNION ALL "),
    waiting: waiting.join(" UNION ALL "),
    left: left.join(" OR "),
  };
}

/** Of what was found as much as may be given. Suspects come first, those with the most crashes before others. */
const choosing = `
    ranked AS (
      SELECT *, row_number() OVER (ORDER BY crashes + lapsed DESC, due_at, seq) AS place
      FROM (
        SELECT s.*, row_number() OVER (PARTITION BY source, type ORDER BY crashes DESC, due_at, seq) AS of_type
        FROM suspects AS s
      ) AS s LEFT JOIN limited USING (source, type)
      WHERE type_most IS NULL OR of_type <= type_most
    ),
    candidates AS (
      SELECT ${columns}, lapsed, true AS is_suspect FROM ranked WHERE place <= $11
      UNION ALL
      SELECT ${columns}, lapsed, false FROM waiting
    ),
    of_types AS (
      SELECT c.*, type_most, row_number() OVER (PARTITION BY source, type ORDER BY is_suspect DESC, replayed, due_at, seq) AS of_type
      FROM candidates AS c LEFT JOIN limited USING (source, type)
    ),
    of_sources AS (
      SELECT o.*, slots, row_number() OVER (PARTITION BY source ORDER BY is_suspect DESC, replayed, due_at, seq) AS of_source
      FROM of_types AS o JOIN wanted USING (source)
      WHERE type_most IS NULL OR of_type <= type_most
    ),
    sized AS (
      SELECT *, sum(size) OVER (ORDER BY is_suspect DESC, replayed, due_at, seq) AS bytes,
        row_number() OVER (ORDER BY is_suspect DESC, replayed, due_at, seq) AS place
      FROM of_sources WHERE of_source <= slots
    ),
    chosen AS (SELECT * FROM sized WHERE bytes <= $13 OR place = 1)`;

/**
 * Takes, in this order: whole sources and their slots ($1, $2), types of others ($3 to $5), slots of all ($6, $7), types
 * that are limited ($8 to $10), how many suspects with at most how many crashes ($11, $12), bytes ($13), fence and lease
 * ($14, $15). Answers the claims, each with `is_more`: whether something was due that did not go along; without a claim,
 * one row that says it alone.
 */
const claimSql = textOf((tables) => {
  const { events, deliveries } = tables;
  const { suspects, waiting, left } = searching(tables);
  return `
    WITH instant AS MATERIALIZED (SELECT ${nowMs} AS now),
    wanted AS (SELECT * FROM unnest($6::text[], $7::integer[]) AS w (source, slots)),
    limited AS (SELECT * FROM unnest($8::text[], $9::text[], $10::integer[]) AS l (source, type, type_most)),
    suspects AS MATERIALIZED (${suspects}),
    waiting AS MATERIALIZED (${waiting}),
    ${choosing},
    claimed AS (
      UPDATE ${events} AS e
      SET state = 'running', fence = $14, lease_ends_at = now + $15::bigint, attempts = e.attempts + 1,
        crashes = e.crashes + c.lapsed
      FROM chosen AS c, instant WHERE e.key = c.key
      RETURNING e.*, c.place
    ),
    said AS (
      SELECT (SELECT count(*) FROM of_sources WHERE NOT is_suspect OR of_source <= slots) > (SELECT count(*) FROM chosen)
        OR ${left} AS is_more
    )
    SELECT ${eventColumns}, ${deliveryColumns}, is_more
    FROM said LEFT JOIN (claimed AS e JOIN ${deliveries} AS d ON ${ofEvent}) ON true ORDER BY e.place`;
});
