/** The sender's ledger: what was sent and what was answered, on disk before it counts. */

import { fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";

export interface LedgerLine {
  /** Audata's `webhookCallId`. */
  readonly id: string;
  readonly sentAt: number;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  readonly answeredAt: number;
}

export interface Ledger {
  /** Resolves once the line is on disk. Lines that come while another is being written share the next write. */
  add(line: LedgerLine): Promise<void>;
}

export function openLedger(path: string): Ledger {
  const file = openSync(path, "a");
  let waiting: { readonly text: string; readonly written: () => void }[] = [];

  function write(): void {
    const batch = waiting;
    waiting = [];
    writeSync(file, batch.map(({ text }) => text).join(""));
    fdatasyncSync(file);
    for (const { written } of batch) written();
  }

  return {
    add: (line) =>
      new Promise((resolve) => {
        if (waiting.length === 0) setImmediate(write);
        waiting.push({ text: `${JSON.stringify(line)}\n`, written: resolve });
      }),
  };
}

export function readLedger(path: string): readonly LedgerLine[] {
  // What follows the last line's end is still being written.
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LedgerLine);
}

/** Ids that were answered 200 by now. */
export function ackedIn(path: string): ReadonlySet<string> {
  const acked = readLedger(path).filter(({ status }) => status === 200);
  return new Set(acked.map(({ id }) => id));
}
