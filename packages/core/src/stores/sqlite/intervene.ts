/** `intervene` in SQLite: a page of events, each rewritten by the act, in one transaction. */

import type { InterveneAnswer, InterveneAsk, Selection } from "../../contracts/store.ts";
import type { EventRecord } from "../../model/event.ts";
import { statesFor } from "../../model/intervention.ts";
import { stateAfter } from "../../model/transitions.ts";
import { actedOn, joinsLane, listText } from "../records.ts";
import { lastPlace } from "./lanes.ts";
import { pageOf, type Page } from "./page.ts";
import { eventColumns, eventOf, type Row } from "./rows.ts";
import type { Writing } from "./writing.ts";

export function interveneNow(
  on: Writing,
  selection: Selection,
  ask: InterveneAsk,
): InterveneAnswer {
  const { now, moves } = on;
  const { events, cursor } = selected(on, selection, ask);
  const chosen = ask.act === "erase" ? withKin(on, events) : events;
  if (!ask.dryRun) {
    for (const event of chosen) {
      const acted = actedOn(event, ask, now, now + (ask.afterMs ?? 0));
      const { source, type } = event;
      moves.add({ source, type, from: event.state, to: acted.state });
      rewrite(on, acted, joinsLane(event));
      if (ask.act === "erase") erase(on, event.key);
      moves.touch(event.lane?.key);
    }
  }
  return { keys: chosen.map(({ key }) => key), cursor };
}

/** What has no delivery any more cannot be handled. */
const hasDelivery = "EXISTS (SELECT 1 FROM webhook_inbox_deliveries d WHERE d.seq = e.delivery)";

function selected({ prepare, keys }: Writing, selection: Selection, ask: InterveneAsk): Page {
  const states = statesFor[ask.act];
  const more = stateAfter[ask.act] === "pending" ? hasDelivery : "TRUE";
  if (!("keys" in selection)) {
    if (!states.includes(selection.state)) return { events: [], cursor: undefined };
    return pageOf(prepare, selection, "oldest", ask.cursor, ask.limit, more);
  }
  const statement = prepare(
    `SELECT ${eventColumns} FROM webhook_inbox_events e WHERE e.seq = ? AND ${more}`,
  );
  const events = [...new Set(selection.keys)]
    .map((key) => statement.get(keys.find(key) ?? null) as Row | undefined)
    .flatMap((row) => (row === undefined ? [] : [eventOf(row)]))
    .filter(({ state }) => states.includes(state));
  return { events, cursor: undefined };
}

/** With all events of their deliveries and all variants of their ids. */
function withKin(
  { prepare, keys }: Writing,
  events: readonly EventRecord[],
): readonly EventRecord[] {
  const kinOf = prepare(`
    SELECT ${eventColumns} FROM webhook_inbox_events e
    WHERE e.state <> 'erased' AND e.seq IN (
      SELECT o.seq FROM webhook_inbox_events g JOIN webhook_inbox_events o
        ON o.received_at = g.received_at AND o.delivery = g.delivery
        WHERE g.seq = ?1
      UNION SELECT o.seq FROM webhook_inbox_events o WHERE o.variant_of = ?1
      UNION SELECT g.variant_of FROM webhook_inbox_events g WHERE g.seq = ?1)`);
  const kin = new Map(events.map((event) => [event.key, event]));
  for (const { key } of kin.values()) {
    for (const row of kinOf.all(keys.find(key) ?? null) as Row[]) {
      const other = eventOf(row);
      if (!kin.has(other.key)) kin.set(other.key, other);
    }
  }
  return [...kin.values()];
}

function rewrite({ prepare, keys }: Writing, event: EventRecord, isLast: boolean): void {
  prepare(`
    UPDATE webhook_inbox_events
    SET id = ?, state = ?, reason = ?, occurred_at = ?, due_at = ?, replayed = ?, generation = ?, attempts = ?, crashes = ?,
      finished = ?, gave_up = ?, history = ?, interventions = ?, fence = NULL, lease_ends_at = NULL, lane = ?, lane_head = ?,
      lane_place = CASE WHEN ? THEN ${lastPlace} ELSE lane_place END
    WHERE seq = ?`).run(
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
    keys.find(event.key) ?? null,
  );
}

function erase({ prepare, keys }: Writing, key: string): void {
  const seq = keys.find(key) ?? null;
  prepare(`
    DELETE FROM webhook_inbox_deliveries
    WHERE seq = (SELECT delivery FROM webhook_inbox_events WHERE seq = ?)`).run(seq);
  prepare("UPDATE webhook_inbox_events SET content_hash = '' WHERE seq = ?").run(seq);
}
