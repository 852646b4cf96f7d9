/** Pages of the documentation: their blocks compile strictly against the packed packages, with what they leave out declared. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { blocksOf } from "./blocks.ts";
import { declared, given, ofPackage, stubs } from "./declared.ts";
import { packed, project, type Project } from "./project.ts";

/** Those that are whole programs are run as well: see the tests of the README, of stores and of one's own parts. */
const pages = [
  "README.md",
  ...[
    "customers",
    "dashboard",
    "deployment",
    "frameworks",
    "handlers",
    "missed-webhooks",
    "moving",
    "operations",
    "providers",
    "providers/audata",
    "providers/captain-data",
    "providers/socialdata",
    "queues",
    "quick-start",
    "refusals",
    "scaling",
    "secrets",
    "steering",
    "stores",
    "testing",
    "writing-a-provider",
    "writing-an-adapter",
  ].map((name) => `docs/${name}.md`),
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`),
];
const blocks = pages.flatMap((page) =>
  blocksOf(page, "ts").map((block, index): [string, number, string] => [page, index + 1, block]),
);

/** Its first block is the provider that its second one imports. */
const provider = "docs/writing-a-provider.md";
const fileOf = (page: string, index: number): string =>
  page === provider && index === 1
    ? "acme.ts"
    : `${page.replace(".md", "").replaceAll("/", "-")}-${index}.ts`;

/** A block with what it leaves out. */
function programOf(page: string, block: string): string {
  const all = { ...declared, ...ofPackage[/^packages\/(\w+)/.exec(page)?.[1] ?? ""] };
  const missing = Object.entries(all)
    .filter(([name]) => new RegExp(`\\b${name}\\b`).test(block))
    .filter(([name]) => !new RegExp(bindingOf(name)).test(block))
    .map(([, declaration]) => declaration);
  const text = block
    .replace(/"(?:\.\.\/)+inbox"/, '"./inbox.js"')
    .replace('"./inbox.ts"', '"./docs-quick-start-1.ts"');
  return `${[...new Set(missing)].join("\n")}\n${text}\nexport {};\n`;
}

/** How a block would declare or import a name itself. */
const bindingOf = (name: string): string =>
  `(?:const|class) ${name}\\b|import (?:type )?\\{[^}]*\\b${name}\\b|import ${name}\\b`;

describe("the documentation", () => {
  let shop: string;
  let own: Project;
  let errors: readonly string[] = [];

  beforeAll(() => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    const names = [
      "bullmq",
      "core",
      "dashboard",
      "express",
      "koa",
      "fastify",
      "nestjs",
      "opentelemetry",
      "mysql",
      "postgres",
      "redis",
      "testing",
    ];
    own = project(packed(names, shop));
    const ours = names.map((name) => `@webhook-inbox/${name}`).join(" ");
    const theirs =
      "bullmq pg @types/pg mysql2 ioredis drizzle-orm kysely express @types/express koa @types/koa fastify hono zod @hono/node-server @nestjs/common @nestjs/core @nestjs/terminus reflect-metadata rxjs @opentelemetry/api @opentelemetry/core @opentelemetry/context-async-hooks @opentelemetry/sdk-trace";
    own.shell(`npm init -y\nnpm pkg set type=module\nnpm install ${ours} ${theirs} @types/node@24`);
    own.write("stubs.d.ts", stubs);
    own.write("given.ts", given);
    own.write("inbox.ts", 'export declare const inbox: () => import("@webhook-inbox/core").Inbox;');
    for (const [page, index, block] of blocks) {
      own.write(fileOf(page, index), programOf(page, block));
    }
    own.write("wrong.ts", 'export const wrong: number = "what must be found";\n');
    const files = blocks.map(([page, index]) => fileOf(page, index)).join(" ");
    const tsc = join(root, "node_modules/.bin/tsc");
    const said = own.shell(
      `${tsc} --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --experimentalDecorators --emitDecoratorMetadata --module nodenext --allowImportingTsExtensions --target es2024 --types node stubs.d.ts wrong.ts ${files} || true`,
    );
    errors = said.split("\n").filter((line) => line.includes("error TS"));
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test.each(blocks)("%s, block %i compiles", (page, index) => {
    const name = fileOf(page, index);
    expect(errors.filter((line) => line.startsWith(`${name}(`))).toEqual([]);
  });

  test("what is wrong is found, and nothing else is", () => {
    const names = blocks.map(([page, index]) => `${fileOf(page, index)}(`);
    const others = errors.filter((line) => !names.some((name) => line.startsWith(name)));
    expect(others).toEqual([expect.stringMatching(/^wrong\.ts\(1,14\): error TS2322/)]);
  });

  test("the provider that it writes is the example, in under 60 lines, and its test the example's", () => {
    const example = (name: string): string =>
      readFileSync(join(root, "examples/own-provider", name), "utf8");
    const [written, proof] = blocks.filter(([page]) => page === provider);
    expect(written?.[2]).toBe(example("acme.ts"));
    expect(proof?.[2]).toBe(example("acme.test.ts"));
    expect(example("acme.ts").split("\n").length).toBeLessThan(60);
  });
});
