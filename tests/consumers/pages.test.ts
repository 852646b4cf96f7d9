/** Pages of the documentation: their blocks compile strictly against the packed packages, with what they leave out declared. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project, type Project } from "./project.ts";

const pages = [
  "dashboard",
  "frameworks",
  "operations",
  "providers",
  "scaling",
  "writing-a-provider",
];
const blocks = pages.flatMap((name) => {
  const page = readFileSync(join(root, `docs/${name}.md`), "utf8");
  const found = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");
  return found.map((block, index): [string, number, string] => [name, index + 1, block]);
});

/** What blocks take for granted. */
const declared: Readonly<Record<string, string>> = {
  inbox: 'declare const inbox: import("@webhook-inbox/core").Inbox;',
  store: 'declare const store: import("@webhook-inbox/core").Store;',
  refusals: "declare const refusals: { add(count: number, labels: Record<string, string>): void };",
  sources: 'declare const sources: import("@webhook-inbox/core").Sources;',
  serve: 'declare const serve: import("@webhook-inbox/testing/http").Serve;',
  createInbox: 'import { createInbox } from "@webhook-inbox/core";',
  WebhooksModule: 'import { WebhooksModule } from "@webhook-inbox/nestjs";',
  sqlite: 'import { sqlite } from "@webhook-inbox/core/sqlite";',
  audata: 'import { audata } from "@webhook-inbox/core/providers/audata";',
  vault: "declare const vault: { read(name: string): Promise<string> };",
  database:
    "declare const database: { shop(name: string): Promise<{ secret: string } | undefined> };",
  userOf:
    "declare const userOf: (cookie: string | null) => Promise<{ readonly email: string; readonly isAdmin: boolean } | undefined>;",
  fastify: 'declare const fastify: import("fastify").FastifyInstance;',
  koa: 'declare const koa: import("koa");',
  koaMount:
    'declare const koaMount: (path: string, middleware: import("koa").Middleware) => import("koa").Middleware;',
  app: 'declare const app: import("express").Express;',
  page: "declare const page: (message: string) => void;",
  exporter: 'declare const exporter: import("@opentelemetry/sdk-trace").SpanExporter;',
  ConfigModule: "declare class ConfigModule {}",
  ConfigService: "declare class ConfigService { get(name: string): string }",
};

const stubs = `declare module "next/server" {
  export function after(working: Promise<unknown>): void;
}
`;

describe("the documentation", () => {
  let shop: string;
  let own: Project;

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
      "postgres",
      "testing",
    ];
    own = project(packed(names, shop));
    const ours = names.map((name) => `@webhook-inbox/${name}`).join(" ");
    const theirs =
      "bullmq pg @types/pg express @types/express koa @types/koa fastify hono zod @hono/node-server @nestjs/common @nestjs/core @nestjs/terminus reflect-metadata rxjs @opentelemetry/api @opentelemetry/core @opentelemetry/context-async-hooks @opentelemetry/sdk-trace";
    own.shell(`npm init -y\nnpm pkg set type=module\nnpm install ${ours} ${theirs} @types/node@24`);
    own.write("stubs.d.ts", stubs);
    own.write("inbox.ts", 'export declare const inbox: () => import("@webhook-inbox/core").Inbox;');
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test.each(blocks)("%s, block %i compiles", (page, index, block) => {
    const missing = Object.entries(declared)
      .filter(([name]) => new RegExp(`\\b${name}\\b`).test(block))
      .filter(
        ([name]) =>
          !new RegExp(`(?:const|class) ${name}\\b|import \\{[^}]*\\b${name}\\b`).test(block),
      )
      .map(([, declaration]) => declaration);
    const text = block.replace('"../../../inbox"', '"./inbox.js"');
    const file = page === "writing-a-provider" && index === 1 ? "acme.ts" : `${page}-${index}.ts`;
    own.write(file, `${missing.join("\n")}\n${text}\nexport {};\n`);
    const tsc = join(root, "node_modules/.bin/tsc");
    own.shell(
      `${tsc} --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --experimentalDecorators --emitDecoratorMetadata --module nodenext --allowImportingTsExtensions --target es2024 --types node stubs.d.ts ${file}`,
    );
  });

  test("the provider that it writes is the example, in under 60 lines, and its test the example's", () => {
    const example = (name: string): string =>
      readFileSync(join(root, "examples/own-provider", name), "utf8");
    const [provider, proof] = blocks.filter(([page]) => page === "writing-a-provider");
    expect(provider?.[2]).toBe(example("acme.ts"));
    expect(proof?.[2]).toBe(example("acme.test.ts"));
    expect(example("acme.ts").split("\n").length).toBeLessThan(60);
  });
});
