/** The README's own blocks, in an empty folder, with the packed packages: what a newcomer would do. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project, type Project } from "./project.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");

/** The fenced blocks of one language below a heading, up to the next heading of the same depth. */
function blocks(heading: string, language: string): readonly string[] {
  const depth = heading.split(" ")[0] ?? "";
  const after = readme.slice(readme.indexOf(`\n${heading}\n`) + heading.length + 2);
  const section = after.split(new RegExp(`^${depth} `, "m"))[0] ?? "";
  return [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? "");
}

const [install = "", run = "", send = ""] = blocks("## Quick start", "sh");
const [main = "", smallest = ""] = blocks("## Quick start", "ts");
const [output = ""] = blocks("## Quick start", "text");

/** The README's port may be somebody's: its programs run on a free one. */
const port = 20_000 + (process.pid % 20_000);
const elsewhere = (text: string): string => text.replaceAll("3000", String(port));

describe("the README", () => {
  let tarballs: ReadonlyMap<string, string>;
  let shop: string;
  let own: Project;

  beforeAll(() => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    tarballs = packed(["core", "express", "testing"], shop);
    own = project(tarballs);
    own.shell(install);
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test("its first program is the Express example", () => {
    expect(main).toBe(readFileSync(join(root, "examples/express/main.ts"), "utf8"));
  });

  test("its quick start handles its first webhook", async () => {
    own.write("main.ts", main);
    const running = await own.start(run, /listening on/, { PORT: String(port) });
    onTestFinished(() => running.stop());
    expect(own.shell(elsewhere(send.replace("curl", "curl -sS")))).toBe("ok");
    await running.says(new RegExp(output.trim()));
    expect(own.shell(elsewhere(send.replace("curl", "curl -sS")))).toBe("ok");
    const said = await running.says(/./);
    expect(said.split(output.trim())).toHaveLength(2);
  });

  test("its smallest program handles a webhook from this machine, and keeps it in ./webhooks.sqlite", async () => {
    const fresh = project(tarballs);
    onTestFinished(() => fresh.remove());
    fresh.shell(install);
    fresh.write("main.ts", elsewhere(smallest));
    const running = await fresh.start("node main.ts", /captain-data: POST/);
    onTestFinished(() => running.stop());
    const url = elsewhere(
      "http://localhost:3000/webhooks/audata?event=Listener.updated&webhookCallId=1&sender[first_name]=Ann",
    );
    expect(fresh.shell(`curl -sSg '${url}'`)).toBe("ok");
    await running.says(/handled Ann/);
    expect(fresh.read("webhooks.sqlite").length).toBeGreaterThan(0);
  });

  test("its smallest program refuses to start in production without a credential, and says what to set", () => {
    const script = "NODE_ENV=production node main.ts";
    own.write("main.ts", smallest);
    expect(() => own.shell(script)).toThrow(/WEBHOOK_INBOX_TOKEN_SOCIALDATA/);
  });

  test("its first program compiles for TypeScript users, strictly and without skipping libraries", () => {
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

  test("the published suite runs under node:test in a project of its own", () => {
    own.shell("npm install @webhook-inbox/testing");
    own.write(
      "store.test.mjs",
      `import { memory } from "@webhook-inbox/core/memory";
       import { storeSuite } from "@webhook-inbox/testing/store";
       import { test } from "node:test";
       const supports = { durability: "none", shared: false };
       const place = async () => ({ create: () => memory(), remove: async () => {} });
       storeSuite({ test, supports, place });`,
    );
    const said = own.shell("node --test --test-reporter=tap store.test.mjs");
    expect(said).toMatch(/# pass [3-9]\d/);
    expect(said).toMatch(/# fail 0/);
  });
});
