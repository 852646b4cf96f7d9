/**
 * The packed packages in a fresh project for each framework and major version: as ES module and as CommonJS, in
 * TypeScript that compiles strictly and in JavaScript. Each program receives a webhook over HTTP, and handles it.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project, type Project } from "./project.ts";

const tsc = join(root, "node_modules/.bin/tsc");
const strictly =
  "--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --module nodenext --target es2024 --types node";

const inbox = `
  store: memory({ acceptLoss: true }),
  sources: { audata: audata({ token: "t" }) },
  handlers: { audata: { "Listener.updated": ({ data }) => console.log("handled", data.sender_id) } },
  logger: false,`;
const imports = `import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";`;
const deliver = `
const query = "event=Listener.updated&webhookCallId=1&sender_id=7&sender[id]=7";
async function deliver() {
  const answer = await fetch("http://127.0.0.1:" + process.env.PORT + "/webhooks/audata/t?" + query);
  console.log(answer.status, await answer.text());
}`;

interface Consumer {
  readonly packages: readonly string[];
  readonly install: string;
  readonly program: string;
}

const express = `${imports}
import { webhooks } from "@webhook-inbox/express";
import express from "express";
${deliver}
const receive = webhooks({${inbox}
});
const app = express();
app.use(receive);
const server = app.listen(Number(process.env.PORT), async () => {
  await deliver();
  await receive.inbox.idle();
  await receive.inbox.close();
  server.close();
});
`;

const koa = `${imports}
import { webhooks } from "@webhook-inbox/koa";
import Koa from "koa";
${deliver}
const receive = webhooks({${inbox}
});
const app = new Koa();
app.use(receive);
const server = app.listen(Number(process.env.PORT), async () => {
  await deliver();
  await receive.inbox.idle();
  await receive.inbox.close();
  server.close();
});
`;

const fastify = `${imports}
import { webhooks } from "@webhook-inbox/fastify";
import Fastify from "fastify";
${deliver}
const receive = webhooks({${inbox}
});
const app = Fastify();
app.register(receive);
app.listen({ port: Number(process.env.PORT) }, async () => {
  await deliver();
  await receive.inbox.idle();
  await app.close();
});
`;

const hono = `${imports}
import { createInbox } from "@webhook-inbox/core";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
${deliver}
const inbox = createInbox({${inbox}
});
const app = new Hono();
app.all("/webhooks/*", (c) => inbox.fetch(c.req.raw));
const server = serve({ fetch: app.fetch, port: Number(process.env.PORT) }, async () => {
  await deliver();
  await inbox.idle();
  await inbox.close();
  server.close();
});
`;

const nodeHttp = `${imports}
import { createServer } from "node:http";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
${deliver}
const inbox = createInbox({${inbox}
});
const server = createServer(nodeHandler(inbox)).listen(Number(process.env.PORT), async () => {
  await deliver();
  await inbox.idle();
  await inbox.close();
  server.close();
});
`;

const consumers: Readonly<Record<string, Consumer>> = {
  "Express 5": {
    packages: ["express"],
    install: "express@5 @types/express@5",
    program: express,
  },
  "Express 4": {
    packages: ["express"],
    install: "express@4 @types/express@4",
    program: express,
  },
  "Koa 3": { packages: ["koa"], install: "koa@3 @types/koa@3", program: koa },
  "Koa 2": { packages: ["koa"], install: "koa@2 @types/koa@2", program: koa },
  "Fastify 5": { packages: ["fastify"], install: "fastify@5", program: fastify },
  "Hono 4": { packages: [], install: "hono@4 @hono/node-server", program: hono },
  "node:http": { packages: [], install: "", program: nodeHttp },
};

/** ES import lines as CommonJS has them. */
const required = (program: string): string =>
  program.replaceAll(/^import (.+) from ("[^"]+");$/gm, "const $1 = require($2);");

const handled = ["200 ok", "handled 7"].toSorted();
let port = 20_000 + ((process.pid * 31) % 20_000);
let shop: string;
let tarballs: ReadonlyMap<string, string>;

beforeAll(() => {
  shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
  tarballs = packed(["core", "express", "koa", "fastify", "nestjs"], shop);
});
afterAll(() => rmSync(shop, { recursive: true }));

function installed({ packages, install }: Pick<Consumer, "packages" | "install">): Project {
  const own = project(tarballs);
  const ours = ["core", ...packages].map((name) => `@webhook-inbox/${name}`).join(" ");
  own.shell(`npm init -y\nnpm install ${ours} ${install} @types/node@24`);
  return own;
}

/** Runs a program, and answers its lines, in an order that does not depend on who is faster. */
function linesOf(own: Project, program: string): readonly string[] {
  port += 1;
  const said = own.shell(`PORT=${port} node ${program}`);
  return said.trim().split("\n").toSorted();
}

describe.each(Object.entries(consumers))("%s", (_, consumer) => {
  let own: Project;
  beforeAll(() => {
    own = installed(consumer);
  });
  afterAll(() => own.remove());

  test("TypeScript, as an ES module", () => {
    own.write("main.mts", consumer.program);
    own.shell(`${tsc} ${strictly} --noEmit main.mts`);
    expect(linesOf(own, "main.mts")).toEqual(handled);
  });

  test("TypeScript, as CommonJS", () => {
    own.write("main.cts", consumer.program);
    own.shell(`${tsc} ${strictly} --outDir compiled main.cts`);
    expect(linesOf(own, "compiled/main.cjs")).toEqual(handled);
  });

  test("JavaScript, as an ES module", () => {
    own.write("main.mjs", consumer.program);
    expect(linesOf(own, "main.mjs")).toEqual(handled);
  });

  test("JavaScript, as CommonJS", () => {
    own.write("main.cjs", required(consumer.program));
    expect(linesOf(own, "main.cjs")).toEqual(handled);
  });
});

/** With decorators, as Nest's users write them; with calls, as JavaScript has to. */
function nest(platform: "express" | "fastify", style: "typescript" | "javascript"): string {
  const isTyped = style === "typescript";
  const adapter = platform === "express" ? "" : ", new FastifyAdapter()";
  const service = isTyped
    ? `@Injectable()
class Service {
  @OnWebhook("audata", "Listener.updated")
  update({ data }: EventOf<typeof sources, "audata", "Listener.updated">) {
    console.log("handled", data.sender_id);
  }
}`
    : `class Service {
  update({ data }) {
    console.log("handled", data.sender_id);
  }
}
Injectable()(Service);
OnWebhook("audata", "Listener.updated")(Service.prototype, "update");`;
  const module = `{
  imports: [WebhooksModule.forRoot({ store: memory({ acceptLoss: true }), sources, logger: false })],
  providers: [Service],
}`;
  return `import "reflect-metadata";
${imports}
import { Injectable, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
${platform === "fastify" ? 'import { FastifyAdapter } from "@nestjs/platform-fastify";' : ""}
import { getInboxToken, OnWebhook, WebhooksModule } from "@webhook-inbox/nestjs";
${isTyped ? 'import type { EventOf, Inbox } from "@webhook-inbox/core";' : ""}
${deliver}
const sources = { audata: audata({ token: "t" }) };
${isTyped ? 'declare module "@webhook-inbox/nestjs" { interface Register { inbox: Inbox<typeof sources> } }' : ""}
${service}
${isTyped ? `@Module(${module})\nclass AppModule {}` : `class AppModule {}\nModule(${module})(AppModule);`}
async function main() {
  const app = await NestFactory.create(AppModule${adapter}, { logger: false });
  await app.listen(Number(process.env.PORT));
  await deliver();
  await app.get(getInboxToken()).idle();
  await app.close();
}
void main();
`;
}

const decorated = `${strictly} --experimentalDecorators --emitDecoratorMetadata --skipLibCheck`;

describe.each([12, 11])("NestJS %i", (major) => {
  let own: Project;
  beforeAll(() => {
    const names = ["common", "core", "platform-express", "platform-fastify"];
    const packages = names.map((name) => `@nestjs/${name}@${major}`).join(" ");
    own = installed({ packages: ["nestjs"], install: `${packages} reflect-metadata rxjs` });
  });
  afterAll(() => own.remove());

  test.each(["express", "fastify"] as const)("on %s, in every kind of program", (platform) => {
    for (const kind of ["mts", "cts"]) {
      own.write(`main.${kind}`, nest(platform, "typescript"));
      own.shell(`${tsc} ${decorated} --outDir compiled main.${kind}`);
      expect(linesOf(own, `compiled/main.${kind.replace("t", "j")}`), kind).toEqual(handled);
    }
    const program = nest(platform, "javascript");
    own.write("main.mjs", program);
    expect(linesOf(own, "main.mjs"), "mjs").toEqual(handled);
    own.write("main.cjs", required(program).replace(/^import ("[^"]+");$/m, "require($1);"));
    expect(linesOf(own, "main.cjs"), "cjs").toEqual(handled);
  });
});
