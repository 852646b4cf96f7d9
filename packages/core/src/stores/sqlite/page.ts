/**
 * Pages of events, by the time they were received. A page walks an index: of all events, or of each source and state that
 * fits; what no index knows (types, reasons) is looked for among a bounded number of rows.
 */

import type { EventFilter } from "../../contracts/store.ts";
import type { EventRecord } from "../../model/event.ts";
import { cursorAt, everyState, placeOf, type Place } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { eventColumns, eventOf, type Row } from "./rows.ts";

const lookedAtMax = 20_000;
const chunkMax = 256;

export interface Page {
  readonly events: readonly EventRecord[];
  /** Where the next page begins; undefined when there is none. */
  readonly cursor: string | undefined;
}

/** A row of an index, before anything else of the event is read. */
type Found = Place & { readonly fits: number };

/** Events that fit, newest or oldest first, beyond `cursor`; `more` is a further condition on `e`. */
export function pageOf(
  prepare: Prepare,
  filter: EventFilter,
  order: "newest" | "oldest",
  cursor: string | undefined,
  limit: number,
  more = "TRUE",
): Page {
  const isUp = order === "oldest";
  const from = placeOf(cursor, isUp, filter);
  const walks = waysOf(prepare, filter).map(
    (way) => new Walk(prepare, filter, way, isUp, from, limit, more),
  );
  const seqs: number[] = [];
  let last = from;
  for (let looked = 0; ; looked++) {
    const walk = walks.reduce((a, b) => (isBefore(b.head, a.head, isUp) ? b : a));
    const { head } = walk;
    if (head === undefined) return { events: read(prepare, seqs), cursor: undefined };
    const isFull = seqs.length === limit;
    if (looked === lookedAtMax || (isFull && head.fits === 1)) {
      return { events: read(prepare, seqs), cursor: cursorAt(last) };
    }
    if (head.fits === 1) seqs.push(head.seq);
    last = head;
    walk.next();
  }
}

function isBefore(a: Place | undefined, b: Place | undefined, isUp: boolean): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  const difference = a.receivedAt - b.receivedAt || a.seq - b.seq;
  return isUp ? difference < 0 : difference > 0;
}

interface Way {
  readonly source: string;
  readonly state: string;
}

/** Parts of the index to walk; undefined is all events. */
function waysOf(prepare: Prepare, { source, state }: EventFilter): readonly (Way | undefined)[] {
  if (source === undefined && state === undefined) return [undefined];
  const sources = source === undefined ? sourcesOf(prepare) : [source];
  const states = state === undefined ? everyState : [state];
  const ways = sources.flatMap((one) => states.map((other) => ({ source: one, state: other })));
  return ways.length === 0 ? [undefined] : ways;
}

/** Goes along one index, in chunks. */
class Walk {
  /** The row it is at; undefined at the end. */
  head: Found | undefined;
  readonly #more: (after: Place) => readonly Found[];
  #chunk: readonly Found[];
  #at = 0;
  readonly #size: number;

  constructor(
    prepare: Prepare,
    { type, reason, receivedFrom = -Infinity, receivedBefore = Infinity }: EventFilter,
    way: Way | undefined,
    isUp: boolean,
    from: Place,
    limit: number,
    more: string,
  ) {
    this.#size = Math.min(limit + 1, chunkMax);
    const direction = isUp ? "ASC" : "DESC";
    const statement = prepare(`
      SELECT e.seq, e.received_at AS receivedAt,
        (?1 IS NULL OR e.type = ?1) AND (?2 IS NULL OR e.reason = ?2) AND ${more} AS fits
      FROM webhook_inbox_events e
      WHERE (e.received_at, e.seq) ${isUp ? ">" : "<"} (?3, ?4) AND e.received_at >= ?5 AND e.received_at < ?6
        ${way === undefined ? "" : "AND e.source = ?8 AND e.state = ?9"}
      ORDER BY e.received_at ${direction}, e.seq ${direction} LIMIT ?7`);
    const named = way === undefined ? [] : [way.source, way.state];
    const fixed = [receivedFrom, receivedBefore, this.#size, ...named];
    this.#more = (after) =>
      statement.all(
        type ?? null,
        reason ?? null,
        after.receivedAt,
        after.seq,
        ...fixed,
      ) as unknown as Found[];
    this.#chunk = this.#more(from);
    this.head = this.#chunk[0];
  }

  next(): void {
    this.#at += 1;
    if (this.#at === this.#chunk.length && this.#at === this.#size && this.head !== undefined) {
      this.#chunk = this.#more(this.head);
      this.#at = 0;
    }
    this.head = this.#chunk[this.#at];
  }
}

function read(prepare: Prepare, seqs: readonly number[]): readonly EventRecord[] {
  const statement = prepare(`SELECT ${eventColumns} FROM webhook_inbox_events e WHERE e.seq = ?`);
  return seqs.map((seq) => eventOf(statement.get(seq) as Row));
}

/** Sources that have events, found by leaping from one to the next. */
export function sourcesOf(prepare: Prepare): readonly string[] {
  const next = prepare("SELECT min(source) AS source FROM webhook_inbox_events WHERE source > ?");
  const found: string[] = [];
  for (let source = ""; ;) {
    const row = next.get(source);
    if (typeof row?.["source"] !== "string") return found;
    ({ source } = row as { source: string });
    found.push(source);
  }
}
