/** The source files of the packages, with what each of them imports. */

import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const root: string = join(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the repository's root. */
  readonly path: string;
  readonly lines: number;
  /** Imports of own files, from the repository's root. */
  readonly files: readonly string[];
  /** Imports of packages and of Node's own modules. */
  readonly packages: readonly string[];
}

export function sourceFiles(pattern = "packages/*/src/**/*.ts"): readonly SourceFile[] {
  return globSync(pattern, { cwd: root }).map(read);
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const specifiers = [
    ...text.matchAll(
      /^(?:import|export)\b[^"';]*?from "([^"]+)"|import\("([^"]+)"\)|^import "([^"]+)"/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
  const own = specifiers.filter((specifier) => specifier.startsWith("."));
  return {
    path,
    lines: text.split("\n").length - 1,
    files: own.map((specifier) => relative(root, join(root, dirname(path), specifier))),
    packages: specifiers.filter((specifier) => !specifier.startsWith(".")),
  };
}
