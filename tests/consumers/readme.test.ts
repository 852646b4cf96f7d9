/** The blocks of the README, and of the pages that it leads to first, in an empty folder, with the packed packages: what a newcomer would do. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { blocksOf } from "./blocks.ts";
import { packed, project, type Project } from "./project.ts";

const [install = "", run = "", send = "", runMain = ""] = blocksOf(
  "README.md",
  "sh",
  "## Quick start",
);
const [smallest = "", main = ""] = blocksOf("README.md", "ts", "## Quick start");
const [output = ""] = blocksOf("README.md", "text", "## Quick start");
const [board = ""] = blocksOf("README.md", "ts", "## Look at it, and steer it");
const [inOrder = ""] = blocksOf("docs/handlers.md", "ts", "## In order");
const [exact = "", elsewhereExact = ""] = blocksOf("docs/handlers.md", "ts", "## Exactly once");
const [steering = ""] = blocksOf("docs/steering.md", "ts");
const [shutdown = ""] = blocksOf("docs/deployment.md", "ts", "## Starting and stopping");

/** The README's port may be somebody's: its programs run on a free one. */
const port = 20_000 + (process.pid % 20_000);
const elsewhere = (text: string): string => text.replaceAll("3000", String(port));

describe("the README", () => {
  let tarballs: ReadonlyMap<string, string>;
  let shop: string;
  let own: Project;

  beforeAll(() => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    tarballs = packed(["core", "dashboard", "express", "testing"], shop);
    own = project(tarballs);
    own.shell(install);
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test("its quick start handles its first webhook, from this machine, and keeps it in ./webhooks.sqlite", async () => {
    own.write("main.ts", elsewhere(smallest));
    const running = await own.start(run, /captain-data: POST/, {});
    onTestFinished(() => running.stop());
    expect(own.shell(elsewhere(send.replace("curl", "curl -sS")))).toBe("ok");
    await running.says(new RegExp(output.trim()));
    expect(own.shell(elsewhere(send.replace("curl", "curl -sS")))).toBe("ok");
    const said = await running.says(/./);
    expect(said.split(output.trim())).toHaveLength(2);
    expect(own.read("webhooks.sqlite").length).toBeGreaterThan(0);
  });

  test("its second program is the Express example, and takes the same with a token", async () => {
    expect(main).toBe(readFileSync(join(root, "examples/express/main.ts"), "utf8"));
    own.write("main.ts", main);
    const environment = { PORT: String(port), DATABASE: "second.sqlite" };
    const running = await own.start(runMain, /listening on/, environment);
    onTestFinished(() => running.stop());
    const without = elsewhere(send.replace("curl", "curl -sS"));
    expect(own.shell(without)).toBe("unauthorized");
    expect(own.shell(without.replace("/socialdata", "/socialdata/s3cret-1"))).toBe("ok");
    await running.says(/handled job 42: its data is ready/);
  });

  test("its recipes for order, for exactly once, for people and for the shutdown run as they stand", () => {
    own.shell("npm install @webhook-inbox/dashboard");
    own.write(
      "recipes.ts",
      `import { createInbox } from "@webhook-inbox/core";
       import { sqlite } from "@webhook-inbox/core/sqlite";
       import { webhooks } from "@webhook-inbox/express";
       import express from "express";
       import { DatabaseSync as Tables } from "node:sqlite";
       for (const [file, table] of [["recipes.sqlite", "prizes (call, station)"], ["shop.sqlite", "stock (station, prizes)"]]) {
         const tables = new Tables(file as string);
         tables.exec("CREATE TABLE " + table + (file === "shop.sqlite" ? "; INSERT INTO stock VALUES ('north', 9)" : ""));
         tables.close();
       }
       ${inOrder}
       const inbox = createInbox({ store: sqlite("recipes.sqlite"), sources, logger: false });
       ${exact}
       ${elsewhereExact}
       const app = express();
       app.use(webhooks(inbox));
       const userOf = (request: Request) => request.headers.has("x-user") ? { by: "ada" } : undefined;
       ${board}
       ${shutdown}
       const server = app.listen(${port});
       const base = "http://localhost:${port}";
       for (const event of ["Prize.created", "Prize.deleted"]) {
         await fetch(base + "/webhooks/audata/t?station=north&webhookCallId=" + event + "&event=" + event + "&sender[id]=1");
       }
       console.log((await fetch(base + "/ready")).status);
       console.log((await fetch(base + "/ops")).status, (await fetch(base + "/ops", { headers: { "x-user": "ada" } })).status);
       console.log((await (await fetch(base + "/health")).json()).isStoreThere);
       await inbox.idle();
       await inbox.replay({ state: "done", type: "Prize.deleted" });
       await inbox.idle();
       const read = (file: string, sql: string) => new Tables(file, { readOnly: true }).prepare(sql).get();
       console.log(JSON.stringify([read("recipes.sqlite", "SELECT count(*) AS n FROM prizes"), read("shop.sqlite", "SELECT prizes FROM stock")]));
       const { events: [{ key } = { key: "" }] } = await inbox.list();
       ${steering}
       console.log((await inbox.list()).events.map(({ state }) => state).join());
       process.kill(process.pid, "SIGTERM");
       setTimeout(async () => console.log((await fetch(base + "/ready")).status), 1000);`,
    );
    const said = own.shell("AUDATA_TOKEN=t CAPTAIN_DATA_TOKEN=b node recipes.ts");
    expect(said).toBe(
      `200\n401 200\ntrue\n${JSON.stringify([{ n: 1 }, { prizes: 8 }])}\nerased,done\n503\n`,
    );
    own.shell("npm install -D typescript @types/node @types/express");
    own.shell(
      "npx tsc --noEmit --strict --skipLibCheck false --module nodenext --target es2024 --types node recipes.ts",
    );
  });

  test("its first program refuses to start in production without a credential, and says what to set", () => {
    const script = "NODE_ENV=production node main.ts";
    own.write("main.ts", smallest);
    expect(() => own.shell(script)).toThrow(/WEBHOOK_INBOX_TOKEN_SOCIALDATA/);
  });

  test("its second program compiles for TypeScript users, strictly and without skipping libraries", () => {
    own.write("main.ts", main);
    own.shell("npm install -D typescript @types/node @types/express");
    own.shell(
      "npx tsc --noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --skipLibCheck false --module nodenext --target es2024 --types node main.ts",
    );
  });

  test("a CommonJS application requires the same packages", () => {
    own.write(
      "main.cjs",
      `const { webhooks } = require("@webhook-inbox/express");
       const { memory } = require("@webhook-inbox/core/memory");
       const { inbox } = webhooks({ store: memory({ acceptLoss: true }), logger: false });
       inbox.idle().then(() => inbox.close()).then(() => console.log("fine"));`,
    );
    expect(own.shell("node main.cjs")).toBe("fine\n");
  });

  test("the packed heartbeat thread starts", () => {
    own.write(
      "heartbeat.mjs",
      `import { createInbox } from "@webhook-inbox/core";
       import { audata } from "@webhook-inbox/core/providers/audata";
       import { sqlite } from "@webhook-inbox/core/sqlite";
       const inbox = createInbox({
         store: sqlite("heartbeat.sqlite"),
         sources: { audata: audata({ auth: "none" }) },
         work: { leaseMs: 200 },
         logger: false,
         onSignal: ({ kind }) => console.log(kind),
       });
       await inbox.start();
       const end = Date.now() + 1500;
       while (Date.now() < end);
       setTimeout(() => inbox.close(), 100);`,
    );
    const said = own.shell("node heartbeat.mjs");
    expect(said).toContain("loop_blocked");
    expect(said).not.toContain("heartbeat_failed");
  });

  test("the published suite runs under node:test in a project of its own", () => {
    own.shell("npm install @webhook-inbox/testing");
    own.write(
      "store.test.mjs",
      `import { memory } from "@webhook-inbox/core/memory";
       import { storeSuite } from "@webhook-inbox/testing/store";
       import { test } from "node:test";
       const supports = { durability: "none", shared: false, transactions: false, wakeups: false };
       const place = async () => ({ create: () => memory(), remove: async () => {} });
       storeSuite({ test, supports, place });`,
    );
    const said = own.shell("node --test --test-reporter=tap store.test.mjs");
    expect(said).toMatch(/# pass 1\d\d/);
    expect(said).toMatch(/# fail 0/);
  });
});
