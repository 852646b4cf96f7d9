/** The Next.js example in a fresh project, with the packed packages: built, served, and sent a webhook. */

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project } from "./project.ts";

const left = new Set(["node_modules", ".next", "package.json", "next-env.d.ts"]);

test("the Next.js example works with the packed core", async () => {
  const shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
  onTestFinished(() => rmSync(shop, { recursive: true }));
  const own = project(packed(["core"], shop));
  onTestFinished(() => own.remove());
  own.shell(
    "npm init -y\nnpm pkg set type=module\nnpm install @webhook-inbox/core next@16 react react-dom @types/node@24 @types/react typescript@7",
  );
  cpSync(join(root, "examples/nextjs"), own.directory, {
    recursive: true,
    filter: (path) => !left.has(basename(path)),
  });
  own.shell("npx next build");
  const port = String(20_000 + ((process.pid * 17) % 20_000));
  const environment = {
    PORT: port,
    NODE_ENV: "production",
    SOCIALDATA_TOKEN: "t",
    AUDATA_TOKEN: "t0ken",
    CAPTAIN_DATA_TOKEN: "t",
  };
  const running = await own.start("npx next start", /Ready in/, environment);
  onTestFinished(() => running.stop());
  const query = "event=Listener.updated&webhookCallId=1&sender_id=7&sender[id]=7";
  const answer = await fetch(`http://127.0.0.1:${port}/webhooks/audata/t0ken?${query}`);
  expect([answer.status, await answer.text()]).toEqual([200, "ok"]);
  expect(await running.says(/handled listener 7/)).not.toContain("heartbeat thread failed");
});
