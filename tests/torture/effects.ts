/** The effect recorder: what handlers did, as lines in a file that processes append to. */

import { existsSync, openSync, readFileSync, writeSync } from "node:fs";

export interface Effect {
  /** Audata's `webhookCallId`. */
  readonly id: string;
  readonly attempt: number;
  readonly pid: number;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** Opens the file for appending: lines of this length are written whole, whoever else appends. */
export function recordEffects(path: string): (effect: Effect) => void {
  const file = openSync(path, "a");
  return (effect) => void writeSync(file, `${JSON.stringify(effect)}\n`);
}

export function readEffects(path: string): readonly Effect[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Effect);
}
