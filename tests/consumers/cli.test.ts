/** The command in an empty folder, from its packed package: as its page says, beside a service that runs. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { blocksOf } from "./blocks.ts";
import { packed, project, type Project } from "./project.ts";

const [install = "", look = "", replay = "", send = ""] = blocksOf("docs/cli.md", "sh");

/** A service on the file of `webhooks()`, whose handler is broken until a file called `mended` is there. */
const service = `
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
const inbox = createInbox({
  store: sqlite("webhooks.sqlite"),
  sources: { socialdata: socialData({ token: "t0ken" }) },
  retry: { delaysMs: [] },
});
inbox.on("socialdata", "*", ({ id }) => {
  if (!existsSync("mended")) throw new Error("the CRM is down");
  console.log("handled", id);
});
createServer(nodeHandler(inbox)).listen(process.env.PORT, () => console.log("listening"));
`;

describe("the page on the command line", () => {
  let shop: string;
  let own: Project;

  beforeAll(() => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    const tarballs = packed(["core", "dashboard", "testing", "cli"], shop);
    own = project(tarballs);
    const names = [...tarballs.keys()].filter((name) => name !== "@webhook-inbox/cli");
    own.shell(`npm install ${names.join(" ")}`);
    own.shell(install.replace("webhook-inbox", tarballs.get("@webhook-inbox/cli") ?? ""));
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test("leads from a broken handler to done", async () => {
    own.write("main.mjs", service);
    const port = String(20_000 + ((process.pid + 13) % 20_000));
    const running = await own.start("node main.mjs", /listening/, { PORT: port });
    onTestFinished(() => running.stop());
    const simulated = send.split("\n").find((line) => line.includes("send socialdata")) ?? "";
    const url = (line: string): string => line.replace("3000", port).replace("<token>", "t0ken");
    expect(own.shell(url(simulated))).toBe("200 ok\n");
    await expect.poll(() => own.shell("npx webhook-inbox list")).toContain("dead (exhausted)");
    const [stats = "", list = "", show = ""] = look.trim().split("\n");
    expect(own.shell(stats)).toMatch(/DEAD\nsocialdata +job_finished +1 +0 +1\n/);
    const [key = ""] = /[0-9A-Z]{26}/.exec(own.shell(list)) ?? [];
    expect(own.shell(show.replace("<key>", key))).toContain("Error: the CRM is down");
    own.write("mended", "");
    expect(own.shell(replay)).toContain("1 event replayed.");
    await running.says(/handled job:\d+:success/);
    await expect.poll(() => own.shell(stats)).toMatch(/DONE\nsocialdata +job_finished +1 +0 +1\n/);
  });

  test("a store whose package is not installed is named with its install line", () => {
    // The package manager that runs the tests lets every process find what the workspace has.
    const list = "env -u NODE_PATH npx webhook-inbox list";
    expect(() => own.shell(`${list} --store postgres://localhost/x`)).toThrow(
      /npm install @webhook-inbox\/postgres pg/,
    );
  });
});
