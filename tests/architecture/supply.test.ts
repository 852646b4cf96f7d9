/** What users install with us: few packages, under licences that anyone may use, none of which runs anything when it is installed. */

import { existsSync, readFileSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./sources.ts";

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

interface Installed {
  readonly directory: string;
  readonly manifest: Manifest;
}

const manifestIn = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;

/** The package that a package in a directory gets by a name. */
function found(from: string, name: string): Installed {
  for (let place = from; ; place = dirname(place)) {
    const directory = join(place, "node_modules", name);
    if (existsSync(directory)) {
      const real = realpathSync(directory);
      return { directory: real, manifest: manifestIn(real) };
    }
    if (place === dirname(place)) throw new Error(`${name} is not installed for ${from}`);
  }
}

/** All that comes with a package, however deep. */
function closureOf(
  directory: string,
  seen = new Map<string, Installed>(),
): ReadonlyMap<string, Installed> {
  for (const name of Object.keys(manifestIn(directory).dependencies ?? {})) {
    const one = found(directory, name);
    if (seen.has(one.directory)) continue;
    seen.set(one.directory, one);
    closureOf(one.directory, seen);
  }
  return seen;
}

const licences: ReadonlySet<string> = new Set([
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
]);

/** Strangers' packages that come with each of ours, and what comes with one beside them: more need a reason. */
const strangers = ["zod"];
const more: Readonly<Record<string, readonly string[]>> = { "webhook-inbox": ["commander"] };

const packages = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));

describe.each(packages.map((directory) => [manifestIn(directory).name, directory]))(
  "%s",
  (name, directory) => {
    const all = [...closureOf(directory).values()];

    test("brings few packages of strangers", () => {
      const names = all
        .map(({ manifest }) => manifest.name)
        .filter((one) => one !== "webhook-inbox" && !one.startsWith("@webhook-inbox/"));
      expect(names.toSorted()).toEqual([...(more[name] ?? []), ...strangers]);
    });

    test("and everything that it brings is free to use", () => {
      const own = { directory, manifest: manifestIn(directory) };
      const others = [own, ...all].filter(({ manifest }) => !licences.has(manifest.license ?? ""));
      expect(others.map(({ manifest }) => `${manifest.name}: ${manifest.license}`)).toEqual([]);
    });

    test("and runs nothing when it is installed", () => {
      const scripts = ["preinstall", "install", "postinstall"];
      const own = { directory, manifest: manifestIn(directory) };
      const running = [own, ...all].filter(
        (one) =>
          existsSync(join(one.directory, "binding.gyp")) ||
          scripts.some((script) => script in (one.manifest.scripts ?? {})),
      );
      expect(running.map(({ manifest }) => manifest.name)).toEqual([]);
    });
  },
);
