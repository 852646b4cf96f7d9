/** `intervene` in MySQL: a page of events, locked and each rewritten by the act, in one transaction. */

import {
  stateAfter,
  statesFor,
  type EventRecord,
  type InterveneAnswer,
  type InterveneAsk,
  type Selection,
} from "@webhook-inbox/core";
import { actedOn, joinsLane, listText } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import { lockLanes, takeLastPlaces } from "./lanes.ts";
import { pageOf, type Page } from "./page.ts";
import { eventColumns, eventOf, keyBytes, keyOf, ofEvent } from "./rows.ts";
import { Given, givenKeys, literal } from "./tables.ts";
import { numberOf } from "./values.ts";

const keysOf = (events: readonly Pick<EventRecord, "key">[]): string =>
  givenKeys.of(events.map(({ key }) => ({ event_key: keyBytes(key) })));

/** Rows of the keys that are given, as `e`. */
const byKey = (events: string): string =>
  `FROM ${givenKeys.table} JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}`;

/** Runs in a transaction. */
export async function interveneNow(
  on: Writing,
  selection: Selection,
  ask: InterveneAsk,
): Promise<InterveneAnswer> {
  const { now, moves } = on;
  const { events, cursor } = await selected(on, selection, ask);
  const chosen = ask.act === "erase" ? await withKin(on, events) : events;
  if (!ask.dryRun && chosen.length > 0) {
    const acted = chosen.map((event) => actedOn(event, ask, now, now + (ask.afterMs ?? 0)));
    for (const [place, { source, type, state }] of acted.entries()) {
      moves.add({ source, type, from: chosen[place]?.state, to: state });
      moves.touch(chosen[place]?.lane?.key);
    }
    const seqs = await rewrite(on, acted);
    if (ask.act === "erase") await erase(on, acted);
    await lockLanes(on);
    const joining = chosen.filter(joinsLane).map(({ key, lane }) => ({
      seq: seqs.get(key) ?? 0,
      lane: lane?.key ?? "",
    }));
    await takeLastPlaces(on, joining);
  }
  return { keys: chosen.map(({ key }) => key), cursor };
}

async function selected(on: Writing, selection: Selection, ask: InterveneAsk): Promise<Page> {
  const { run, tables, moves } = on;
  const states = statesFor[ask.act];
  const locks = !ask.dryRun;
  // Who wanted to let one be a head while its row was held by us has left that to us.
  const onLocked = ({ lane }: EventRecord): void => moves.touch(lane?.key);
  if (!("keys" in selection)) {
    if (!states.includes(selection.state)) return { events: [], cursor: undefined };
    const { cursor, limit } = ask;
    const page = await pageOf(run, tables, {
      filter: selection,
      order: "oldest",
      cursor,
      limit,
      ...(locks ? { onLocked } : {}),
    });
    return { ...page, events: await handleable(on, page.events, ask) };
  }
  const keys = [...new Set(selection.keys)];
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN ${eventColumns} ${byKey(tables.events)}
     WHERE e.state IN (${states.map(literal).join(", ")}) ${locks ? "FOR UPDATE" : ""}`,
    [keysOf(keys.toSorted().map((key) => ({ key })))],
  );
  const found = new Map(rows.map((row) => [keyOf(row["event_key"]), eventOf(row)]));
  if (locks) for (const event of found.values()) onLocked(event);
  const events = keys.flatMap((key) => found.get(key) ?? []);
  return { events: await handleable(on, events, ask), cursor: undefined };
}

/**
 * What has no delivery any more cannot be handled. Asked once the events are locked: from then on their deliveries stay,
 * since who forgets one locks its events too.
 */
async function handleable(
  { run, tables: { events, deliveries } }: Writing,
  chosen: readonly EventRecord[],
  { act }: InterveneAsk,
): Promise<readonly EventRecord[]> {
  if (stateAfter[act] !== "pending" || chosen.length === 0) return chosen;
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN e.event_key ${byKey(events)} JOIN ${deliveries} AS d ON ${ofEvent}`,
    [keysOf(chosen)],
  );
  const able = new Set(rows.map((row) => keyOf(row["event_key"])));
  return chosen.filter(({ key }) => able.has(key));
}

/** With all events of their deliveries and all variants of their ids. */
async function withKin(
  { run, tables: { events } }: Writing,
  chosen: readonly EventRecord[],
): Promise<readonly EventRecord[]> {
  const kin = new Map(chosen.map((event) => [event.key, event]));
  for (let fresh: readonly EventRecord[] = chosen; fresh.length > 0;) {
    const more: EventRecord[] = [];
    for (const way of [
      "o.received_at = e.received_at AND o.delivery = e.delivery",
      "o.variant_of = e.event_key",
      "o.event_key = e.variant_of",
    ]) {
      const { rows } = await run(
        `SELECT STRAIGHT_JOIN ${eventColumns.replaceAll("e.", "o.")} ${byKey(events)} JOIN ${events} AS o ON ${way}
         WHERE o.state <> ${literal("erased")} FOR UPDATE`,
        [keysOf(fresh)],
      );
      more.push(...rows.map(eventOf).filter(({ key }) => !kin.has(key)));
      for (const event of more) kin.set(event.key, event);
    }
    fresh = more;
  }
  return [...kin.values()];
}

const given = new Given({
  event_key: "key",
  id: "text",
  state: "text",
  occurred_at: "number",
  due_at: "number",
  replayed: "number",
  generation: "number",
  attempts: "number",
  crashes: "number",
  finished: "text",
  gave_up: "text",
  history: "text",
  interventions: "text",
  lane: "text",
  lane_head: "number",
});

/** Answers the numbers of the events. */
async function rewrite(
  { run, tables: { events } }: Writing,
  acted: readonly EventRecord[],
): Promise<ReadonlyMap<string, number>> {
  const columns = given.names.filter((name) => name !== "event_key");
  const rows = acted.map((event) => ({
    event_key: keyBytes(event.key),
    id: event.id,
    state: event.state,
    occurred_at: event.occurredAt,
    due_at: event.dueAt,
    replayed: event.replayed ? 1 : 0,
    generation: event.generation,
    attempts: event.attempts,
    crashes: event.crashes,
    finished: listText(event.finished),
    gave_up: listText(event.gaveUp),
    history: listText(event.history),
    interventions: listText(event.interventions),
    lane: event.lane?.key,
    lane_head: event.lane?.isHead === true ? 1 : 0,
  }));
  await run(
    `UPDATE ${given.table} STRAIGHT_JOIN ${events} AS e ON e.event_key = ${given.sql("event_key")}
     SET ${columns.map((name) => `e.${name} = ${given.sql(name)}`).join(", ")},
       e.reason = NULL, e.fence = NULL, e.lease_ends_at = NULL`,
    [given.of(rows)],
  );
  const found = await run(`SELECT e.seq, e.event_key ${byKey(events)}`, [keysOf(acted)]);
  return new Map(found.rows.map((row) => [keyOf(row["event_key"]), numberOf(row["seq"])]));
}

async function erase(
  { run, tables: { events, deliveries } }: Writing,
  acted: readonly EventRecord[],
): Promise<void> {
  const keys = keysOf(acted);
  await run(`DELETE d ${byKey(events)} JOIN ${deliveries} AS d ON ${ofEvent}`, [keys]);
  await run(
    `UPDATE ${givenKeys.table} STRAIGHT_JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}
     SET e.content_hash = ''`,
    [keys],
  );
}
