/** Text for terminals and pipes. */

import { forever, visible } from "@webhook-inbox/core";

export const instant = (ms: number): string =>
  Number.isNaN(new Date(ms).getTime()) || ms >= forever ? "never" : new Date(ms).toISOString();

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

/** A length of time in its largest unit, such as `3 min`. */
export function duration(ms: number): string {
  const unit = units.find(([, size]) => ms >= size);
  return unit === undefined ? `${Math.round(ms)} ms` : `${Math.floor(ms / unit[1])} ${unit[0]}`;
}

/** Rows under their names, in columns. Numbers stand to the right. */
export function table(
  names: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) => row.map((cell) => visible(String(cell))));
  const widths = names.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => widthOf(row[column] ?? ""))),
  );
  const line = (row: readonly string[], given: readonly (string | number)[] | undefined): string =>
    row
      .map((cell, column) => {
        const space = " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
        return typeof (given ?? rows[0])?.[column] === "number" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  return [line(names, undefined), ...cells.map((row, index) => line(row, rows[index]))].join("\n");
}

const wide =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** Columns that a text takes, about. */
function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
