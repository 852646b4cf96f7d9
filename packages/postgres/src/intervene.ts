/** `intervene` in PostgreSQL: a page of events, locked and each rewritten by the act, in one transaction. */

import {
  stateAfter,
  statesFor,
  type EventRecord,
  type InterveneAnswer,
  type InterveneAsk,
  type Selection,
} from "@webhook-inbox/core";
import { actedOn, joinsLane, Moves, listText } from "@webhook-inbox/core/records";
import type { Session } from "./connection.ts";
import { advance } from "./lanes.ts";
import { pageOf, type Page } from "./page.ts";
import type { Run } from "./pool.ts";
import { columnsOf, eventColumns, eventOf, keyOf, ofEvent, uuidOf } from "./rows.ts";
import { nowMs, type Tables } from "./tables.ts";
import { writeTallies } from "./tallies.ts";

/** Runs in a transaction. */
export async function interveneNow(
  session: Session,
  tables: Tables,
  selection: Selection,
  ask: InterveneAsk,
): Promise<InterveneAnswer> {
  const { run } = session;
  const { events, cursor } = await selected(run, tables, selection, ask);
  const chosen = ask.act === "erase" ? await withKin(run, tables, events) : events;
  if (!ask.dryRun && chosen.length > 0) {
    const [instant] = await run(`SELECT ${nowMs} AS now`);
    const now = Number(instant?.["now"]);
    const moves = new Moves();
    const acted = chosen.map((event) => actedOn(event, ask, now, now + (ask.afterMs ?? 0)));
    for (const [place, { source, type, state }] of acted.entries()) {
      moves.add({ source, type, from: chosen[place]?.state, to: state });
    }
    await rewrite(run, tables, chosen, acted);
    if (ask.act === "erase") await erase(run, tables, acted);
    await writeTallies(session, tables, moves, now);
    await advance(
      run,
      tables,
      chosen.map(({ lane }) => lane?.key),
    );
  }
  return { keys: chosen.map(({ key }) => key), cursor };
}

async function selected(
  run: Run,
  tables: Tables,
  selection: Selection,
  ask: InterveneAsk,
): Promise<Page> {
  const states = statesFor[ask.act];
  const locks = !ask.dryRun;
  if (!("keys" in selection)) {
    if (!states.includes(selection.state)) return { events: [], cursor: undefined };
    const { cursor, limit } = ask;
    const page = await pageOf(run, tables, {
      filter: selection,
      order: "oldest",
      cursor,
      limit,
      locks,
    });
    return { ...page, events: await handleable(run, tables, page.events, ask) };
  }
  const rows = await run(
    `SELECT ${eventColumns} FROM ${tables.events} AS e
     WHERE e.key = ANY ($1::uuid[]) AND e.state = ANY ($2) ORDER BY e.key ${locks ? "FOR UPDATE" : ""}`,
    [selection.keys.map(uuidOf), states],
  );
  const found = new Map(rows.map((row) => [keyOf(row["key"]), eventOf(row)]));
  const events = [...new Set(selection.keys)].flatMap((key) => found.get(key) ?? []);
  return { events: await handleable(run, tables, events, ask), cursor: undefined };
}

/**
 * What has no delivery any more cannot be handled. Asked once the events are locked: from then on their deliveries stay,
 * since who forgets one locks its events too.
 */
async function handleable(
  run: Run,
  { events, deliveries }: Tables,
  chosen: readonly EventRecord[],
  { act }: InterveneAsk,
): Promise<readonly EventRecord[]> {
  if (stateAfter[act] !== "pending" || chosen.length === 0) return chosen;
  const rows = await run(
    `SELECT e.key FROM ${events} AS e JOIN ${deliveries} AS d ON ${ofEvent} WHERE e.key = ANY ($1::uuid[])`,
    [chosen.map(({ key }) => uuidOf(key))],
  );
  const able = new Set(rows.map((row) => keyOf(row["key"])));
  return chosen.filter(({ key }) => able.has(key));
}

/** With all events of their deliveries and all variants of their ids. */
async function withKin(
  run: Run,
  { events }: Tables,
  chosen: readonly EventRecord[],
): Promise<readonly EventRecord[]> {
  const kin = new Map(chosen.map((event) => [event.key, event]));
  for (let keys = [...kin.keys()]; keys.length > 0;) {
    const rows = await run(
      `SELECT ${eventColumns} FROM ${events} AS e WHERE e.state <> 'erased' AND e.key IN (
         SELECT o.key FROM ${events} AS g JOIN ${events} AS o
           ON o.received_at = g.received_at AND o.delivery = g.delivery WHERE g.key = ANY ($1::uuid[])
         UNION SELECT o.key FROM ${events} AS o WHERE o.variant_of = ANY ($1::uuid[])
         UNION SELECT g.variant_of FROM ${events} AS g WHERE g.key = ANY ($1::uuid[]) AND g.variant_of IS NOT NULL
       ) ORDER BY e.key FOR UPDATE`,
      [keys.map(uuidOf)],
    );
    const more = rows.map(eventOf).filter(({ key }) => !kin.has(key));
    for (const event of more) kin.set(event.key, event);
    keys = more.map(({ key }) => key);
  }
  return [...kin.values()];
}

async function rewrite(
  run: Run,
  { events, named }: Tables,
  chosen: readonly EventRecord[],
  acted: readonly EventRecord[],
): Promise<void> {
  const joins = chosen.map(joinsLane);
  const hasLast = joins.includes(true);
  const last = hasLast
    ? await run(`SELECT nextval('${named("lane_seq")}') * 1048576 AS place`)
    : [];
  const firstPlace = Number(last[0]?.["place"] ?? 0);
  await run(
    `UPDATE ${events} AS e
     SET id = g.id, state = g.state, reason = NULL, occurred_at = g.occurred_at, due_at = g.due_at, replayed = g.replayed,
       generation = g.generation, attempts = g.attempts, crashes = g.crashes, finished = g.finished, gave_up = g.gave_up,
       history = g.history, interventions = g.interventions, fence = NULL, lease_ends_at = NULL, lane = g.lane,
       lane_head = g.lane_head, lane_place = coalesce(g.lane_place, e.lane_place)
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[], $7::integer[], $8::integer[],
       $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean[], $16::bigint[])
       AS g (key, id, state, occurred_at, due_at, replayed, generation, attempts, crashes, finished, gave_up, history,
         interventions, lane, lane_head, lane_place)
     WHERE e.key = g.key`,
    columnsOf(acted, [
      ({ key }) => uuidOf(key),
      ({ id }) => id,
      ({ state }) => state,
      ({ occurredAt }) => occurredAt ?? null,
      ({ dueAt }) => dueAt,
      ({ replayed }) => replayed,
      ({ generation }) => generation,
      ({ attempts }) => attempts,
      ({ crashes }) => crashes,
      ({ finished }) => listText(finished),
      ({ gaveUp }) => listText(gaveUp),
      ({ history }) => listText(history),
      ({ interventions }) => listText(interventions),
      ({ lane }) => lane?.key ?? null,
      ({ lane }) => lane?.isHead === true,
      (_, index) => (joins[index] === true ? firstPlace + index : null),
    ]),
  );
}

async function erase(
  run: Run,
  { events, deliveries }: Tables,
  acted: readonly EventRecord[],
): Promise<void> {
  const keys = [acted.map(({ key }) => uuidOf(key))];
  await run(
    `DELETE FROM ${deliveries} AS d USING ${events} AS e WHERE e.key = ANY ($1::uuid[]) AND ${ofEvent}`,
    keys,
  );
  await run(`UPDATE ${events} SET content_hash = '' WHERE key = ANY ($1::uuid[])`, keys);
}
