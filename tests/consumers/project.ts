/** A fresh project in an empty folder, with the packed packages installed as a user would. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../architecture/sources.ts";
import { run, start, type Running } from "./shell.ts";

/** Packs packages as they would be published; answers their tarballs by package name. */
export function packed(names: readonly string[], into: string): ReadonlyMap<string, string> {
  return new Map(
    names.map((name) => {
      const tarball = join(into, `${name}.tgz`);
      execFileSync("pnpm", ["pack", "--out", tarball], {
        cwd: join(root, "packages", name),
        stdio: "pipe",
      });
      return [`@webhook-inbox/${name}`, tarball];
    }),
  );
}

export interface Project {
  readonly directory: string;
  write(file: string, text: string): void;
  read(file: string): string;
  /** Runs a shell text, line by line, with the packages' names replaced by their tarballs. */
  shell(text: string): string;
  /** Starts a shell text and waits until its output matches. */
  start(text: string, ready: RegExp, environment?: NodeJS.ProcessEnv): Promise<Running>;
  remove(): void;
}

export function project(tarballs: ReadonlyMap<string, string>): Project {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-consumer-"));
  return {
    directory,
    write: (file, text) => writeFileSync(join(directory, file), text),
    read: (file) => readFileSync(join(directory, file), "utf8"),
    shell(text) {
      const script = text.replaceAll(
        /@webhook-inbox\/[\w-]+(?=\s|$)/g,
        (name) => tarballs.get(name) ?? name,
      );
      return run(directory, script);
    },
    start: (text, ready, environment = {}) => start(directory, text, ready, environment),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
