/** What the demo prints: plain lines in a pipe, colours on a terminal; and the checks that decide its exit code. */

import { styleText } from "node:util";

const failures: string[] = [];
const widths = [42, 8, 26];

/** The title of a part; with the names of the columns that its rows have. */
export function heading(title: string, columns: readonly string[] = []): void {
  const [first = 0, ...others] = widths;
  const names = columns.map((name, index) => name.padEnd(others[index] ?? 0)).join("");
  console.log(`\n${styleText("bold", title.padEnd(first + 2))}${styleText("dim", names)}`);
}

export function row(what: string, status: number, stored: string, handled: string): void {
  const [first = 0, second = 0, third = 0] = widths;
  const answer = styleText(status === 200 ? "green" : "yellow", String(status).padEnd(second));
  console.log(`  ${what.padEnd(first)}${answer}${stored.padEnd(third)}${handled || "-"}`);
}

export function note(text: string): void {
  console.log(`  ${text}`);
}

/** Notes what was promised and not kept. */
export function expectThat(isKept: boolean, promise: string): void {
  if (isKept) return;
  failures.push(promise);
  console.log(styleText("red", `  BROKEN: ${promise}`));
}

/** Prints the end, and answers the exit code. */
export function verdict(durationMs: number): number {
  const seconds = (durationMs / 1000).toFixed(1);
  const isKept = failures.length === 0;
  const text = isKept ? "every promise was kept" : `${failures.length} promises were broken`;
  console.log(`\n${styleText(isKept ? "green" : "red", text)} (${seconds} s)`);
  return isKept ? 0 : 1;
}
