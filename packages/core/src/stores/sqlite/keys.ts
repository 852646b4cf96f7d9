/**
 * Which event has a key. Keys are random, so that in a tree on the disk every insertion would change another page. Those of
 * new events are therefore kept in memory, by each process for itself, which reads them from the events when it begins.
 * Once there are many they go into the tree in the order of their first letters, many of them to each page, a few with
 * each transaction. Nothing is written for a key until then, and every event from `keyed_to` on is known without the tree.
 */

import { encodeKey } from "../../event-key.ts";
import type { Prepare } from "./connection.ts";
import { keyBytes } from "./rows.ts";

/** Keys in memory before they go into the tree: some 4 MB. */
const recentMax = 30_000;
/** Keys that go into the tree for each new one, while there are some to go. */
const movedPerKey = 4;
const mark = "keyed_to";

/** On its way into the tree: all events up to `upTo`. */
interface Move {
  readonly upTo: number;
  /** What is left of it, those with the same first letters together. */
  readonly bins: [key: string, seq: number][][];
}

export class Keys {
  readonly #prepare: Prepare;
  /** Rows of the events that may not be in the tree. */
  readonly #recent = new Map<string, number>();
  /** The last row whose key is known; undefined before anything was read. */
  #last: number | undefined;
  #added = 0;
  #move: Move | undefined;

  constructor(prepare: Prepare) {
    this.#prepare = prepare;
  }

  /** Reads what others have added. To be called before the first `find` of each turn of the event loop. */
  catchUp(): void {
    // Who only reads learns now and then that others have moved them.
    if (this.#recent.size > 2 * recentMax) this.#dropMoved();
    const rows = this.#prepare(
      "SELECT seq, key FROM webhook_inbox_events WHERE seq > ? ORDER BY seq",
    ).all((this.#last ??= this.#moved()));
    for (const { seq, key } of rows) {
      this.#last = seq as number;
      this.#recent.set(encodeKey(key as Uint8Array), seq as number);
    }
  }

  /** The row that has a key. It may have been removed by another process; no other event ever has it. */
  find(key: string): number | undefined {
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    const row = this.#prepare("SELECT seq FROM webhook_inbox_keys WHERE key = ?").get(
      keyBytes(key),
    );
    return row?.["seq"] as number | undefined;
  }

  add(key: string, seq: number): void {
    this.#last = seq;
    this.#added += 1;
    this.#recent.set(key, seq);
  }

  remove(key: Uint8Array): void {
    this.#recent.delete(encodeKey(key));
    this.#prepare("DELETE FROM webhook_inbox_keys WHERE key = ?").run(key);
  }

  /** Called at the end of a transaction: moves a few for each one that it has added. */
  step(): void {
    let few = this.#added * movedPerKey;
    this.#added = 0;
    if (few === 0) return;
    if (this.#recent.size >= recentMax) this.#move ??= this.#begun();
    while (this.#move !== undefined && few > 0) {
      const bin = this.#move.bins.pop();
      if (bin === undefined) return this.#end(this.#move);
      for (const [key, seq] of bin) this.#put(key, seq);
      few -= bin.length;
    }
  }

  #begun(): Move | undefined {
    this.#dropMoved();
    if (this.#recent.size < recentMax) return undefined;
    const bins = Map.groupBy(this.#recent, ([key]) => key.slice(0, 2));
    const sorted = [...bins].sort(([a], [b]) => (a < b ? 1 : -1)).map(([, bin]) => bin);
    return { upTo: this.#last ?? 0, bins: sorted };
  }

  #put(key: string, seq: number): void {
    // Another process may have put it there too, or have removed the event.
    this.#prepare(`
      INSERT OR IGNORE INTO webhook_inbox_keys (key, seq) SELECT key, seq FROM webhook_inbox_events WHERE seq = ?`).run(
      seq,
    );
    if (this.#recent.get(key) === seq) this.#recent.delete(key);
  }

  #end({ upTo }: Move): void {
    this.#move = undefined;
    this.#prepare(`
      INSERT INTO webhook_inbox_meta (name, value) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`).run(mark, upTo);
  }

  /** The row up to which all are in the tree. */
  #moved(): number {
    const row = this.#prepare("SELECT value FROM webhook_inbox_meta WHERE name = ?").get(mark);
    return Number(row?.["value"] ?? 0);
  }

  /** Forgets what another process has moved. */
  #dropMoved(): void {
    const moved = this.#moved();
    for (const [key, seq] of this.#recent) if (seq <= moved) this.#recent.delete(key);
  }
}
