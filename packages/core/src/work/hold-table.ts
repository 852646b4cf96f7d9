/**
 * What is in hand, in memory that the heartbeat thread shares: the main thread writes it as events come and go, and the
 * other one reads it once that is silent. Nobody sends a message for an event, and nobody waits.
 */

import type { Hold } from "../contracts/store.ts";

/** A claim in hand. */
export interface ThreadHold extends Hold {
  /** When its lease is no longer to be extended, in milliseconds since 1970. */
  readonly until: number;
}

const rows = 1024;
const rowBytes = 128;
// `until`, 0 in a row that is free; the length of the fence; the key; the fence.
const lengthAt = 8;
const keyAt = 9;
const keyLength = 26;
const fenceAt = keyAt + keyLength;
const fenceLengthMax = rowBytes - fenceAt;

/** The main thread's side. Grows by parts; each new one is handed to `onPart`. */
export class HoldTable {
  readonly #onPart: (part: SharedArrayBuffer) => void;
  readonly #parts: Buffer[] = [];
  readonly #rows = new Map<string, number>();
  readonly #fences: string[] = [];
  readonly #free: number[] = [];

  constructor(onPart: (part: SharedArrayBuffer) => void) {
    this.#onPart = onPart;
  }

  /** One of the same key takes the place of the one before. */
  put({ key, fence, until }: ThreadHold): void {
    // One that does not fit is extended by the main thread alone.
    if (key.length !== keyLength || fence.length > fenceLengthMax) return;
    const row = this.#rows.get(key) ?? this.#freeRow();
    this.#rows.set(key, row);
    this.#fences[row] = fence;
    const [part, at] = this.#place(row);
    part.writeUInt8(fence.length, at + lengthAt);
    part.write(key, at + keyAt, "latin1");
    part.write(fence, at + fenceAt, "latin1");
    part.writeDoubleLE(until, at);
  }

  /** Does nothing where the key is held under another fence by now. */
  drop({ key, fence }: Hold): void {
    const row = this.#rows.get(key);
    if (row === undefined || this.#fences[row] !== fence) return;
    this.#rows.delete(key);
    this.#free.push(row);
    const [part, at] = this.#place(row);
    part.writeDoubleLE(0, at);
  }

  #place(row: number): readonly [Buffer, number] {
    return [this.#parts[Math.floor(row / rows)] as Buffer, (row % rows) * rowBytes];
  }

  #freeRow(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const first = this.#parts.length * rows;
    const part = new SharedArrayBuffer(rows * rowBytes);
    this.#parts.push(Buffer.from(part));
    for (let row = first + rows - 1; row > first; row--) this.#free.push(row);
    this.#onPart(part);
    return first;
  }
}

/** The heartbeat thread's side. What is being written just now may be read in part: then it is nobody's claim. */
export function holdsIn(part: SharedArrayBuffer): readonly ThreadHold[] {
  const bytes = Buffer.from(part);
  const found: ThreadHold[] = [];
  for (let at = 0; at < bytes.length; at += rowBytes) {
    const until = bytes.readDoubleLE(at);
    if (until === 0) continue;
    const fenceEnd = at + fenceAt + bytes.readUInt8(at + lengthAt);
    found.push({
      key: bytes.toString("latin1", at + keyAt, at + fenceAt),
      fence: bytes.toString("latin1", at + fenceAt, fenceEnd),
      until,
    });
  }
  return found;
}
