/** Links between pages of the repository lead to files, and to headings in them. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { root } from "./sources.ts";

const pages = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
})
  .stdout.split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));

/** Text without blocks and spans of code, in which nothing is a link. */
const proseOf = (path: string): string =>
  readFileSync(join(root, path), "utf8")
    .replaceAll(/^```[^]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ""));

/** Names that GitHub gives to the headings of a page. */
function anchorsOf(path: string): ReadonlySet<string> {
  const found = new Set<string>();
  const headings = readFileSync(path, "utf8")
    .replaceAll(/^```[^]*?^```$/gm, "")
    .matchAll(/^#{1,6} +(.+)$/gm);
  for (const [, heading = ""] of headings) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const name = text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    let unique = name;
    for (let n = 1; found.has(unique); n++) unique = `${name}-${n}`;
    found.add(unique);
  }
  return found;
}

function linksOf(path: string): readonly string[] {
  return [...proseOf(path).matchAll(/\]\(<?([^)\s>]+)>?\)/g)]
    .map((match) => match[1] ?? "")
    .filter((to) => !/^[a-z][a-z0-9+.-]*:/i.test(to));
}

describe("links", () => {
  test("there are pages to look at", () => expect(pages.length).toBeGreaterThan(20));

  test.each(pages)("of %s lead somewhere", (path) => {
    const broken = linksOf(path).filter((to) => {
      const [file = "", anchor] = to.split("#");
      const target = file === "" ? join(root, path) : resolve(root, dirname(path), file);
      if (relative(root, target).startsWith("..") || !existsSync(target)) return true;
      const isPage = statSync(target).isFile() && target.endsWith(".md");
      return anchor !== undefined && !(isPage && anchorsOf(target).has(anchor));
    });
    expect(broken).toEqual([]);
  });
});
