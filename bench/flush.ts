/** How long this machine's disk takes to keep something: without it no figure about durability means anything. */

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "./rounds.ts";

/** Median of an append of 4 KiB and its `fdatasync`, in milliseconds. */
export function flushMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-flush-"));
  const file = openSync(join(directory, "file"), "a");
  const block = Buffer.alloc(4096);
  const times = Array.from({ length: 200 }, () => {
    const begin = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - begin;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return median(times);
}
