/** Pages of the documentation: their blocks compile strictly against the packed packages, with what they leave out declared. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project, type Project } from "./project.ts";

/** Programs of whole applications, and what stands on pages that have tests of their own (README, Stores), are run there. */
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
    "testing",
    "writing-a-provider",
    "writing-an-adapter",
  ].map((name) => `docs/${name}.md`),
];
const blocks = pages.flatMap((page) => {
  const found = [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n([^]*?)^```$/gm)];
  return found.map((match, index): [string, number, string] => [page, index + 1, match[1] ?? ""]);
});

/** What blocks take for granted. */
const declared: Readonly<Record<string, string>> = {
  inbox: 'import { inbox } from "./given.ts";',
  store: 'declare const store: import("@webhook-inbox/core").Store;',
  refusals: "declare const refusals: { add(count: number, labels: Record<string, string>): void };",
  sources: 'import { sources } from "./given.ts";',
  serve: 'declare const serve: import("@webhook-inbox/testing/http").Serve;',
  createInbox: 'import { createInbox } from "@webhook-inbox/core";',
  WebhooksModule: 'import { WebhooksModule } from "@webhook-inbox/nestjs";',
  sqlite: 'import { sqlite } from "@webhook-inbox/core/sqlite";',
  audata: 'import { audata } from "@webhook-inbox/core/providers/audata";',
  crm: "declare const crm: { update(sender: unknown, how: object): Promise<void>; fail(job: string): Promise<{ status: number }> };",
  key: "declare const key: string;",
  server: 'declare const server: import("node:http").Server;',
  url: "declare const url: string;",
  stripe:
    "declare const stripe: { webhooks: { constructEvent(body: unknown, signature: string | undefined, secret: string): { type: string; data: { object: unknown } } } };",
  secret: "declare const secret: string;",
  markAsPaid: "declare const markAsPaid: (invoice: unknown, how?: object) => Promise<void>;",
  express: 'import express from "express";',
  Module: 'import { Module } from "@nestjs/common";',
  Injectable: 'import { Injectable } from "@nestjs/common";',
  OnWebhook: 'import { OnWebhook } from "@webhook-inbox/nestjs";',
  EventOf: 'import type { EventOf } from "@webhook-inbox/core";',
  vault: "declare const vault: { read(name: string): Promise<string> };",
  database:
    "declare const database: { shop(name: string): Promise<{ secret: string } | undefined> };",
  userOf:
    "declare const userOf: (who: string | null | Request) => Promise<{ readonly by: string; readonly email: string; readonly isAdmin: boolean } | undefined>;",
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

/** An inbox as the README's first program has it. */
const given = `import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";

export const sources = {
  socialdata: socialData({ token: "t" }),
  audata: audata({ token: "t" }),
  "captain-data": captainData({ bearer: "t" }),
};
export const inbox = createInbox({ store: sqlite("webhooks.sqlite"), sources });
`;

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
    own.write("given.ts", given);
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
          !new RegExp(
            `(?:const|class) ${name}\\b|import (?:type )?\\{[^}]*\\b${name}\\b|import ${name}\\b`,
          ).test(block),
      )
      .map(([, declaration]) => declaration);
    const text = block
      .replace('"../../../inbox"', '"./inbox.js"')
      .replace('"./inbox.ts"', '"./docs-quick-start-1.ts"');
    const isAcme = page === "docs/writing-a-provider.md" && index === 1;
    const file = isAcme ? "acme.ts" : `${page.replace(".md", "").replaceAll("/", "-")}-${index}.ts`;
    own.write(file, `${missing.join("\n")}\n${text}\nexport {};\n`);
    const tsc = join(root, "node_modules/.bin/tsc");
    own.shell(
      `${tsc} --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --experimentalDecorators --emitDecoratorMetadata --module nodenext --allowImportingTsExtensions --target es2024 --types node stubs.d.ts ${file}`,
    );
  });

  test("the provider that it writes is the example, in under 60 lines, and its test the example's", () => {
    const example = (name: string): string =>
      readFileSync(join(root, "examples/own-provider", name), "utf8");
    const [provider, proof] = blocks.filter(([page]) => page === "docs/writing-a-provider.md");
    expect(provider?.[2]).toBe(example("acme.ts"));
    expect(proof?.[2]).toBe(example("acme.test.ts"));
    expect(example("acme.ts").split("\n").length).toBeLessThan(60);
  });
});
