/** The floors of the house: which room may look into which. */

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root, sourceFiles } from "./sources.ts";

const core = "packages/core/src";
const leaves = ["errors", "hash", "group-commit", "event-key", "later", "pace"];

/** A room (or a file beside the rooms) and what it may import. */
const floors: Readonly<Record<string, readonly string[]>> = {
  model: [],
  errors: [],
  hash: [],
  "group-commit": [],
  later: [],
  pace: [],
  "event-key": ["hash"],
  contracts: ["model"],
  verify: ["model", "contracts", ...leaves],
  observe: ["model", "contracts", ...leaves],
  providers: ["model", "contracts", "verify", ...leaves],
  receive: ["model", "contracts", "verify", "observe", ...leaves],
  work: ["model", "contracts", "verify", "observe", ...leaves],
  stores: ["model", "contracts", ...leaves],
  http: ["model", "contracts", "errors"],
  options: ["model", "contracts", "verify", "observe", "work", ...leaves],
  inbox: ["model", "contracts", "observe", "http", "receive", "work", "options", ...leaves],
  defaults: ["contracts", "inbox", "options", "providers", "stores", ...leaves],
  index: [
    "model",
    "contracts",
    "observe",
    "verify",
    "http",
    "receive",
    "work",
    "providers",
    "options",
    "inbox",
    ...leaves,
  ],
};

/** Which of Node's own modules and packages a room may use; all others use none. */
const foreign: Readonly<Record<string, readonly string[]>> = {
  hash: ["node:crypto"],
  verify: ["node:crypto"],
  http: ["node:http", "node:stream", "node:stream/promises"],
  stores: ["node:crypto", "node:sqlite", "node:fs", "node:path", "node:worker_threads"],
  work: ["node:worker_threads"],
  providers: ["zod", "node:zlib"],
};

/** What providers are made with: they need no schemas. */
const isOfKit = (path: string): boolean =>
  /\/(?:captain-data-api|content|define-provider|events|generic|lookup|query|status)\.ts$/.test(
    path,
  );

const roomOf = (path: string): string => path.slice(core.length + 1).split(/[/.]/)[0] ?? "";
const files = sourceFiles(`${core}/**/*.ts`);

describe("core", () => {
  test("every room is on the plan, and every room on the plan exists", () => {
    expect([...new Set(files.map(({ path }) => roomOf(path)))].toSorted()).toEqual(
      Object.keys(floors).toSorted(),
    );
  });

  for (const { path, files: imports, packages } of files) {
    test(`${path} imports only what its floor allows`, () => {
      const room = roomOf(path);
      const allowed = new Set([room, ...(floors[room] ?? [])]);
      expect(imports.filter((file) => !allowed.has(roomOf(file)))).toEqual([]);
      expect(packages.filter((name) => !(foreign[room] ?? []).includes(name))).toEqual([]);
    });
  }

  test("what speaks fetch needs nothing of Node's", () => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const fetch = byPath.get(`${core}/http/fetch.ts`);
    const reached = [fetch, ...(fetch?.files ?? []).map((path) => byPath.get(path))];
    expect(reached.length).toBeGreaterThan(2);
    expect(reached.flatMap((file) => file?.packages)).toEqual([]);
  });

  test("only the SQLite store uses SQLite and files, only providers use zod", () => {
    const users = (name: string): readonly string[] =>
      files.filter(({ packages }) => packages.includes(name)).map(({ path }) => path);
    expect(users("node:sqlite").every((path) => path.includes("/stores/sqlite/"))).toBe(true);
    expect(users("node:fs").every((path) => path.includes("/stores/sqlite/"))).toBe(true);
    expect(users("zod").toSorted()).toEqual(
      files
        .map(({ path }) => path)
        .filter((path) => path.startsWith(`${core}/providers/`) && !isOfKit(path))
        .toSorted(),
    );
  });
});

describe("packages", () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    bullmq: ["@webhook-inbox/core"],
    cli: ["@webhook-inbox/core", "@webhook-inbox/dashboard", "@webhook-inbox/testing", "commander"],
    core: ["zod"],
    dashboard: ["@webhook-inbox/core"],
    express: ["@webhook-inbox/core"],
    fastify: ["@webhook-inbox/core"],
    koa: ["@webhook-inbox/core"],
    mysql: ["@webhook-inbox/core"],
    nestjs: ["@webhook-inbox/core"],
    opentelemetry: ["@webhook-inbox/core"],
    postgres: ["@webhook-inbox/core"],
    redis: ["@webhook-inbox/core"],
    testing: ["@webhook-inbox/core"],
  };

  for (const [name, dependencies] of Object.entries(allowed)) {
    const manifest = JSON.parse(
      readFileSync(join(root, "packages", name, "package.json"), "utf8"),
    ) as {
      readonly name: string;
      readonly dependencies: object;
      readonly peerDependencies?: object;
      readonly exports: Record<string, string>;
      readonly publishConfig: {
        readonly exports: Record<string, { types: string; default: string }>;
      };
    };

    test(`${name} depends on nothing else`, () => {
      expect(Object.keys(manifest.dependencies)).toEqual(dependencies);
    });

    test(`${name} imports other packages by their public entries`, () => {
      const foreignImports = sourceFiles(`packages/${name}/src/**/*.ts`)
        .flatMap(({ packages }) => packages)
        .filter((specifier) => specifier.startsWith("@webhook-inbox/"));
      const needed = { ...manifest.dependencies, ...manifest.peerDependencies };
      const entries = new Set(Object.keys(needed).flatMap(entriesOf));
      expect(foreignImports.filter((specifier) => !entries.has(specifier))).toEqual([]);
    });

    test(`${name} publishes exactly what the workspace uses`, () => {
      const { exports, publishConfig } = manifest;
      const published = Object.entries(publishConfig.exports);
      for (const [entry, source] of Object.entries(exports)) {
        if (entry === "./package.json") continue;
        expect(existsSync(join(root, "packages", name, source)), source).toBe(true);
        const [pattern, target] = published.find(([key]) => matches(key, entry)) ?? [];
        const star = pattern === undefined ? "" : entry.slice(pattern.indexOf("*"));
        const path = source.replace("./src/", "").replace(/\.ts$/, "");
        const code = name === "core" ? "bundle" : "dist";
        expect(target?.default.replace("*", star)).toBe(`./${code}/${path}.js`);
        expect(target?.types.replace("*", star)).toBe(`./dist/${path}.d.ts`);
      }
    });
  }
});

/** Of a package of ours: what it can be imported by. */
function entriesOf(name: string): readonly string[] {
  if (!name.startsWith("@webhook-inbox/")) return [];
  const path = join(root, "packages", name.slice("@webhook-inbox/".length), "package.json");
  const { exports } = JSON.parse(readFileSync(path, "utf8")) as { readonly exports: object };
  return Object.keys(exports).map((entry) => name + entry.slice(1));
}

function matches(pattern: string, entry: string): boolean {
  return pattern === entry || (pattern.endsWith("/*") && entry.startsWith(pattern.slice(0, -1)));
}

test("most files are under 200 lines, and none is over 400", () => {
  const lines = sourceFiles()
    .map((file) => file.lines)
    .sort((a, b) => a - b);
  expect(lines[Math.floor(lines.length * 0.9)]).toBeLessThanOrEqual(200);
  expect(lines.at(-1)).toBeLessThanOrEqual(400);
});

test("what a source file exports has a reader: another file of the repository, or whoever reads what is public", () => {
  const patterns = ["packages/*/API.md", "{packages,tests,examples,bench,tools}/**/*.{ts,tsx}"];
  const readers = patterns
    .flatMap((pattern) =>
      globSync(pattern, { cwd: root, exclude: (name) => name === "node_modules" }),
    )
    .map((path): [string, Set<string>] => [
      path,
      new Set(readFileSync(join(root, path), "utf8").match(/\w+/g)),
    ]);
  const declared =
    /^export (?:interface|type|const|(?:async )?function|(?:abstract )?class) (\w+)/gm;
  const unread = sourceFiles().flatMap(({ path }) =>
    [...readFileSync(join(root, path), "utf8").matchAll(declared)]
      .map(([, name = ""]) => name)
      .filter((name) => !readers.some(([other, words]) => other !== path && words.has(name)))
      .map((name) => `${path}: ${name}`),
  );
  expect(unread).toEqual([]);
});
