/** What a benchmark has found: as Markdown to read, as JSON to reckon with, and as a picture to look at. */

import { median, quantileOf } from "./rounds.ts";
import { table } from "./table.ts";

/** A ratio that is to be reached, by its number in the list of targets. */
export interface Target {
  readonly id: string;
  readonly of: string;
  readonly to: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Reached extends Target {
  /** The ratios of the rounds. */
  readonly ratios: readonly number[];
  readonly measured: number;
  readonly isReached: boolean;
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly isOurs: boolean;
}

export interface Report {
  readonly name: string;
  /** How it was measured. */
  readonly how: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly reached: readonly Reached[];
  /** Everything, for machines. */
  readonly figures: unknown;
  /** A picture of it. */
  readonly svg?: string;
}

/** Ratios of what was measured in the same round. */
export function ratiosOf(ours: readonly number[], others: readonly number[]): readonly number[] {
  return ours.map((value, round) => value / (others[round] ?? NaN));
}

/** The middle one, and the quarters around it. */
export function spread(ratios: readonly number[]): string {
  const [low, high] = [quantileOf(ratios, 0.25), quantileOf(ratios, 0.75)];
  return `${median(ratios).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** Targets whose both sides were measured. */
export function reachedOf(
  targets: readonly Target[],
  valuesOf: (name: string) => readonly number[] | undefined,
): readonly Reached[] {
  return targets.flatMap((target) => {
    const [ours, others] = [valuesOf(target.of), valuesOf(target.to)];
    if (ours === undefined || others === undefined) return [];
    const ratios = ratiosOf(ours, others);
    const measured = median(ratios);
    const isReached =
      measured >= (target.atLeast ?? -Infinity) && measured <= (target.atMost ?? Infinity);
    return [{ ...target, ratios, measured, isReached }];
  });
}

export function markdownOf({ how, heads, rows, reached }: Report): string {
  const lines = reached.map(({ id, of, to, ratios, atLeast, atMost, isReached }) => [
    id,
    `${of} ÷ ${to}`,
    spread(ratios),
    atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`,
    isReached ? "yes" : "no",
  ]);
  const targets = table(["target", "ratio", "measured (quarters)", "reach", "reached"], lines);
  return [how, table(heads, rows), ...(lines.length === 0 ? [] : [targets])].join("\n\n");
}

const width = 760;
const nameWidth = 230;
const rowHeight = 24;

/** Horizontal bars, readable on light and dark pages. */
export function chartOf(title: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const height = 48 + bars.length * rowHeight;
  const rows = bars.map(({ name, value, isOurs }, index) => {
    const top = 40 + index * rowHeight;
    const length = Math.max(1, Math.round(((width - nameWidth - 90) * value) / most));
    const text = `y="${top + 14}" fill="currentColor"`;
    return [
      `<text x="${nameWidth - 8}" ${text} text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${nameWidth}" y="${top}" width="${length}" height="18" rx="2" fill="${isOurs ? "#2f7d5b" : "#8a8f98"}"/>`,
      `<text x="${nameWidth + length + 6}" ${text}>${value.toFixed(2)}</text>`,
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="13">`,
    "<style>svg{color:#24292f}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>",
    `<text x="0" y="20" fill="currentColor" font-weight="600">${escaped(title)}</text>`,
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
