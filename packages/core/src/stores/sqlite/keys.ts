/**
 * Which event has a key. Keys are random, so that in one large tree every insertion would change another page of the
 * disk. New ones go to a small table; once it is full they are moved to the large one in the order of the keys, many of
 * them to each page, a few with each take.
 */

import type { Prepare } from "./connection.ts";

const hot = "webhook_inbox_keys_hot";
const cold = "webhook_inbox_keys_cold";

/** SQL for the row of the event whose key is a parameter; the small table is asked first. */
export const seqOf = (parameter: string): string =>
  `(SELECT seq FROM ${hot} WHERE key = ${parameter} UNION ALL SELECT seq FROM ${cold} WHERE key = ${parameter})`;

export function insertKey(prepare: Prepare, key: Uint8Array, seq: number | bigint): void {
  prepare(`INSERT INTO ${hot} (key, seq) VALUES (?, ?)`).run(key, seq);
}

export function deleteKey(prepare: Prepare, key: Uint8Array): void {
  for (const table of [hot, cold]) prepare(`DELETE FROM ${table} WHERE key = ?`).run(key);
}

/** Keys in the small table before they are moved: its tree stays in memory. */
const hotMax = 50_000;
/** Keys moved for each one that is inserted while there are some to move. */
const movedPerKey = 4;

/** Moves keys as new ones come. Several processes may do so at once: each moves what is there. */
export class KeyMerge {
  #count: number | undefined;
  /** The last key that was moved; undefined while there is nothing to move. */
  #after: Uint8Array | undefined;

  /** Called in the transaction that has inserted so many keys. */
  step(prepare: Prepare, inserted: number): void {
    if (inserted === 0) return;
    this.#count ??= countOf(prepare);
    this.#count += inserted;
    if (this.#count >= hotMax) this.#after ??= new Uint8Array();
    if (this.#after === undefined) return;
    const few = inserted * movedPerKey;
    const chunk = `SELECT key, seq FROM ${hot} WHERE key > ?1 ORDER BY key LIMIT ?2`;
    const last = prepare(`SELECT max(key) AS key FROM (${chunk})`).get(this.#after, few)?.["key"];
    if (!(last instanceof Uint8Array)) {
      this.#after = undefined;
      this.#count = undefined;
      return;
    }
    prepare(`INSERT INTO ${cold} (key, seq) ${chunk}`).run(this.#after, few);
    prepare(`DELETE FROM ${hot} WHERE key > ? AND key <= ?`).run(this.#after, last);
    this.#after = last;
  }
}

function countOf(prepare: Prepare): number {
  return Number(prepare(`SELECT count(*) AS count FROM ${hot}`).get()?.["count"]);
}
