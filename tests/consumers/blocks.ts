/** The fenced blocks of a page: what its readers copy. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../architecture/sources.ts";

/** Blocks in some languages, in their order: of a whole page, or below one of its headings, up to the next of the same depth. */
export function blocksOf(
  page: string,
  languages: string | readonly string[],
  heading?: string,
): readonly string[] {
  const text = readFileSync(join(root, page), "utf8");
  const section = heading === undefined ? text : below(text, heading);
  return [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter((match) => [languages].flat().includes(match[1] ?? ""))
    .map((match) => match[2] ?? "");
}

function below(text: string, heading: string): string {
  const depth = heading.split(" ")[0] ?? "";
  const after = text.split(`\n${heading}\n`)[1];
  return after?.split(new RegExp(`^${depth} `, "m"))[0] ?? "";
}
