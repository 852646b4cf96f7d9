/**
 * Which event has a key. Keys are random, so that in a tree on the disk every insertion would change another page. Those of
 * new events are therefore kept in memory, by each process for itself, which reads them from the events when it begins.
 * Once there are many they go into the tree in the order of their first letters, many of them to each page, a few with
 * each transaction. How far that has come stands in the file: whoever adds keys goes on with it, in whatever process.
 */

import { encodeKey, firstBits, firstBitsEnd } from "../../event-key.ts";
import type { Prepare } from "./connection.ts";
import { keyBytes } from "./rows.ts";

/** Keys in memory before they go into the tree: some 4 MB. */
const recentMax = 30_000;
/** Keys that go into the tree for each new one, while there are some to go. */
const movedPerKey = 4;

/** Keys of all events up to `keyed_to` are in the tree; of those up to `moving_to`, which is 0 between moves, those before `moving_at`. */
const marks = ["keyed_to", "moving_to", "moving_at"] as const;
type Mark = (typeof marks)[number];

type Bins = ReadonlyMap<number, readonly (readonly [key: string, seq: number])[]>;

export class Keys {
  readonly #prepare: Prepare;
  /** Rows of the events that may not be in the tree: of all that are not, once `catchUp` was called. */
  readonly #recent = new Map<string, number>();
  /** Up to where all are in the tree, as far as is known here; and the last row whose key is known. */
  #keyedTo = -1;
  #last = 0;
  /** The keys of a move, by their first letters. */
  #bins: { readonly to: number; readonly keys: Bins } | undefined;
  /** How many keys may be moved, for those that were added. */
  #credit = 0;
  /** What this transaction has done, and where it began. */
  #added: string[] = [];
  #removed: (readonly [key: string, seq: number])[] = [];
  #lastBefore = 0;

  constructor(prepare: Prepare) {
    this.#prepare = prepare;
  }

  /** Reads what others have added. To be called first in each transaction, and before `find` outside of one. */
  catchUp(): void {
    this.#added = [];
    this.#removed = [];
    const keyedTo = this.#marked("keyed_to");
    if (this.#keyedTo === -1) this.#last = keyedTo;
    else if (keyedTo > this.#keyedTo) this.#forget(keyedTo);
    this.#keyedTo = keyedTo;
    const rows = this.#prepare(
      "SELECT seq, key FROM webhook_inbox_events WHERE seq > ? ORDER BY seq",
    ).all(this.#last);
    for (const { seq, key } of rows) {
      this.#last = seq as number;
      this.#recent.set(encodeKey(key as Uint8Array), seq as number);
    }
    this.#lastBefore = this.#last;
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
    this.#added.push(key);
    this.#recent.set(key, seq);
  }

  remove(bytes: Uint8Array): void {
    const key = encodeKey(bytes);
    const seq = this.#recent.get(key);
    if (seq !== undefined) this.#removed.push([key, seq]);
    this.#recent.delete(key);
    this.#prepare("DELETE FROM webhook_inbox_keys WHERE key = ?").run(bytes);
  }

  /** Called in the moment a transaction was undone: rows that it has added will be given to others. */
  undo(): void {
    for (const key of this.#added) this.#recent.delete(key);
    for (const [key, seq] of this.#removed) this.#recent.set(key, seq);
    this.#last = this.#lastBefore;
    this.#bins = undefined;
    this.#added = [];
    this.#removed = [];
  }

  /** Called at the end of a transaction: moves a few for each one that it has added. */
  step(): void {
    this.#credit += this.#added.length * movedPerKey;
    if (this.#recent.size < recentMax) this.#credit = 0;
    if (this.#credit === 0) return;
    const begunTo = this.#marked("moving_to");
    const to = begunTo || this.#last;
    if (this.#bins?.to !== to) this.#bins = { to, keys: this.#binsUpTo(to) };
    let at = begunTo === 0 ? 0 : this.#marked("moving_at");
    for (; at < firstBitsEnd && this.#credit > 0; at++) {
      const bin = this.#bins.keys.get(at) ?? [];
      for (const [, seq] of bin) this.#put(seq);
      this.#credit -= bin.length;
    }
    if (at < firstBitsEnd) return this.#mark({ moving_to: to, moving_at: at });
    this.#bins = undefined;
    this.#mark({ keyed_to: to, moving_to: 0, moving_at: 0 });
  }

  #binsUpTo(to: number): Bins {
    const moving = [...this.#recent].filter(([, seq]) => seq <= to);
    return Map.groupBy(moving, ([key]) => firstBits(key));
  }

  #put(seq: number): void {
    // The event may have been removed meanwhile.
    this.#prepare(`
      INSERT OR IGNORE INTO webhook_inbox_keys (key, seq) SELECT key, seq FROM webhook_inbox_events WHERE seq = ?`).run(
      seq,
    );
  }

  #marked(name: Mark): number {
    const row = this.#prepare("SELECT value FROM webhook_inbox_meta WHERE name = ?").get(name);
    return Number(row?.["value"] ?? 0);
  }

  #mark(values: Partial<Record<Mark, number>>): void {
    const write = this.#prepare(
      "INSERT OR REPLACE INTO webhook_inbox_meta (name, value) VALUES (?, ?)",
    );
    for (const [name, value] of Object.entries(values)) write.run(name, value);
  }

  /** Forgets what is in the tree. */
  #forget(keyedTo: number): void {
    for (const [key, seq] of this.#recent) if (seq <= keyedTo) this.#recent.delete(key);
  }
}
