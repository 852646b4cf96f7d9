/** `intervene` in SQLite: a page of events, each rewritten by the act, in one transaction. */

import type { InterveneAnswer, InterveneAsk, Selection } from "../../contracts/store.ts";
import type { EventRecord } from "../../model/event.ts";
import { statesFor } from "../../model/intervention.ts";
import { stateAfter } from "../../model/transitions.ts";
import { actedOn, joinsLane, type Moves, listText } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { seqOf } from "./keys.ts";
import { lastPlace } from "./lanes.ts";
import { pageOf, type Page } from "./page.ts";
import { eventColumns, eventOf, keyBytes, type Row } from "./rows.ts";

export function interveneNow(
  prepare: Prepare,
  selection: Selection,
  ask: InterveneAsk,
  now: number,
  moves: Moves,
): InterveneAnswer {
  const { events, cursor } = selected(prepare, selection, ask);
  const chosen = ask.act === "erase" ? withKin(prepare, events) : events;
  if (!ask.dryRun) {
    for (const event of chosen) {
      const acted = actedOn(event, ask, now, now + (ask.afterMs ?? 0));
      const { source, type } = event;
      moves.add({ source, type, from: event.state, to: acted.state });
      rewrite(prepare, acted, joinsLane(event));
      if (ask.act === "erase") erase(prepare, event.key);
      moves.touch(event.lane?.key);
    }
  }
  return { keys: chosen.map(({ key }) => key), cursor };
}

/** What has no delivery any more cannot be handled. */
const hasDelivery = "EXISTS (SELECT 1 FROM webhook_inbox_deliveries d WHERE d.seq = e.delivery)";

function selected(prepare: Prepare, selection: Selection, ask: InterveneAsk): Page {
  const states = statesFor[ask.act];
  const more = stateAfter[ask.act] === "pending" ? hasDelivery : "TRUE";
  if (!("keys" in selection)) {
    if (!states.includes(selection.state)) return { events: [], cursor: undefined };
    return pageOf(prepare, selection, "oldest", ask.cursor, ask.limit, more);
  }
  const statement = prepare(
    `SELECT ${eventColumns} FROM webhook_inbox_events e WHERE e.seq = ${seqOf("?1")} AND ${more}`,
  );
  const events = [...new Set(selection.keys)]
    .map((key) => statement.get(keyBytes(key)) as Row | undefined)
    .flatMap((row) => (row === undefined ? [] : [eventOf(row)]))
    .filter(({ state }) => states.includes(state));
  return { events, cursor: undefined };
}

/** With all events of their deliveries and all variants of their ids. */
function withKin(prepare: Prepare, events: readonly EventRecord[]): readonly EventRecord[] {
  const kinOf = prepare(`
    SELECT ${eventColumns} FROM webhook_inbox_events e
    WHERE e.state <> 'erased' AND e.seq IN (
      SELECT o.seq FROM webhook_inbox_events g JOIN webhook_inbox_events o
        ON o.received_at = g.received_at AND o.delivery = g.delivery
        WHERE g.seq = ${seqOf("?1")}
      UNION SELECT o.seq FROM webhook_inbox_events o WHERE o.variant_of = ?1
      UNION SELECT ${seqOf("g.variant_of")} FROM webhook_inbox_events g WHERE g.seq = ${seqOf("?1")})`);
  const kin = new Map(events.map((event) => [event.key, event]));
  for (const { key } of kin.values()) {
    for (const row of kinOf.all(keyBytes(key)) as Row[]) {
      const other = eventOf(row);
      if (!kin.has(other.key)) kin.set(other.key, other);
    }
  }
  return [...kin.values()];
}

function rewrite(prepare: Prepare, event: EventRecord, isLast: boolean): void {
  prepare(`
    UPDATE webhook_inbox_events
    SET id = ?, state = ?, reason = ?, occurred_at = ?, due_at = ?, replayed = ?, generation = ?, attempts = ?, crashes = ?,
      finished = ?, gave_up = ?, history = ?, interventions = ?, fence = NULL, lease_ends_at = NULL, lane = ?, lane_head = ?,
      lane_place = CASE WHEN ? THEN ${lastPlace} ELSE lane_place END
    WHERE seq = ${seqOf("?17")}`).run(
    event.id,
    event.state,
    event.reason ?? null,
    event.occurredAt ?? null,
    event.dueAt,
    event.replayed ? 1 : 0,
    event.generation,
    event.attempts,
    event.crashes,
    listText(event.finished),
    listText(event.gaveUp),
    listText(event.history),
    listText(event.interventions),
    event.lane?.key ?? null,
    event.lane?.isHead === true ? 1 : 0,
    isLast ? 1 : 0,
    keyBytes(event.key),
  );
}

function erase(prepare: Prepare, key: string): void {
  prepare(`
    DELETE FROM webhook_inbox_deliveries
    WHERE seq = (SELECT delivery FROM webhook_inbox_events WHERE seq = ${seqOf("?1")})`).run(
    keyBytes(key),
  );
  prepare(`UPDATE webhook_inbox_events SET content_hash = '' WHERE seq = ${seqOf("?1")}`).run(
    keyBytes(key),
  );
}
