/** What the doctor finds, on stores and ways to them that are well, and on those that are not. */

import { mkdirSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { SmallDisk } from "../../../tests/services/disk.ts";
import { startRedis } from "../../../tests/services/redis.ts";
import { freePort } from "../../../tests/services/server.ts";
import { ask, listen } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { command, placesOf, service } from "./desk.ts";

const fixture = join(import.meta.dirname, "fixtures", "spilled.ts");
const linesOf = (out: string): readonly string[] => out.split("\n").filter(Boolean);

describe("a store", () => {
  test.each(Object.entries(placesOf))("on %s that is well", async (_, placeOf) => {
    const shop = await service(placeOf());
    shop.mend();
    await shop.finish(1);
    const { code, out, err } = await command(["doctor", "--store", shop.url]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(linesOf(out).filter((line) => !line.startsWith("ok "))).toEqual([]);
    for (const of of ["configuration", "store", "clock", "refusals", "events"]) {
      expect(out).toMatch(new RegExp(`^ok +${of} `, "m"));
    }
  });

  test("that may lose what it acknowledged is a failure", async () => {
    const server = await startRedis("--appendfsync", "everysec");
    onTestFinished(() => server.remove());
    const { code, out } = await command(["doctor", "--store", server.url]);
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL +store .*appendfsync/m);
  });

  test("that was never made, or is not there, is a failure", async () => {
    const url = new URL(inject("postgresUrl"));
    url.searchParams.set("schema", `nobody_${process.pid}`);
    for (const [place, says] of [
      [url.href, /^FAIL +store .*migrate/m],
      [`redis://127.0.0.1:${await freePort()}`, /^FAIL +store .*cannot be used now/m],
    ] as const) {
      const { code, out } = await command(["doctor", "--store", place]);
      expect(code).toBe(1);
      expect(out).toMatch(says);
    }
  });

  test("whose file lies in memory is a failure", async () => {
    const directory = join(temporaryFile(), "..", "disk");
    mkdirSync(directory);
    const disk = new SmallDisk(directory, 16);
    onTestFinished(() => disk.remove());
    const file = join(directory, "inbox.sqlite");
    const sources = { jobs: socialData({ token: "t" }) };
    const inbox = createInbox({ store: sqlite(file), sources, logger: false });
    await inbox.list();
    await inbox.close();
    const { code, out } = await command(["doctor", "--store", `sqlite:${file}`]);
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL +store +its file lies in memory \(tmpfs\)/m);
    const env = { DATABASE: file, TOKEN: "t" };
    const own = await command(["doctor", "--inbox", fixture], { env });
    expect(own.code).toBe(1);
    for (const of of ["store", "spill"]) {
      expect(own.out).toMatch(new RegExp(`^FAIL +${of} +its file lies in memory`, "m"));
    }
  });
});

test("what waits for a person is named, with the command that shows it", async () => {
  const shop = await service(placesOf.SQLite());
  await shop.finish(2);
  await shop.ask("/webhooks/socialdata/t", "{broken");
  await shop.ask("/webhooks/socialdata/wrong", "{}");
  await shop.inbox.verifyAgain();
  const { code, out } = await command(["doctor", "--json", "--store", shop.url]);
  expect(code).toBe(0);
  const warnings = linesOf(out)
    .map((line) => JSON.parse(line) as { readonly level: string; readonly text: string })
    .filter(({ level }) => level === "warning")
    .map(({ text }) => text);
  expect(warnings).toEqual([
    expect.stringMatching(/^socialdata: mismatch \(1, the last one .* ago\)$/),
    "2 dead: webhook-inbox list --state dead",
    "1 quarantined: webhook-inbox list --state quarantined",
  ]);
});

describe("the way from the world", () => {
  async function diagnosed(listener: RequestListener | undefined, below = "") {
    const file = temporaryFile();
    const base =
      listener === undefined
        ? `http://127.0.0.1:${await freePort()}`
        : (await listen(listener)).url + below;
    const env = { DATABASE: file, TOKEN: "the-token", PUBLIC_URL: base };
    return { file, ...(await command(["doctor", "--inbox", fixture], { env })) };
  }

  /** A service of the same sources. */
  function receiver(path?: string): RequestListener {
    const inbox = createInbox({
      store: sqlite(temporaryFile()),
      sources: { jobs: socialData({ token: "t" }), calls: audata({ auth: "none" }) },
      logger: false,
      ...(path === undefined ? {} : { path }),
    });
    onTestFinished(() => inbox.close());
    return nodeHandler(inbox);
  }

  test("leads to the inbox, and nothing is kept of the question", async () => {
    const { code, out } = await diagnosed(receiver());
    expect(out).toMatch(/^ok +public URL +jobs is reached$/m);
    expect(out).toMatch(/^ok +public URL +calls is reached$/m);
    expect(out).toMatch(/^look +configuration +calls takes deliveries from anybody/m);
    expect(out).toMatch(/^ok +spill /m);
    expect(out).toMatch(/^ok +refusals /m);
    expect(out).not.toContain("the-token");
    expect(code).toBe(0);
  });

  test.each([
    ["nobody", undefined, /jobs: http:.* does not answer \(ECONNREFUSED\)/],
    ["another path", receiver, /jobs: it is answered 404; the path leads elsewhere/],
    [
      "a redirect",
      () => redirecting,
      /redirected to https:\/\/www\.example\.com\/, and providers do not follow/,
    ],
    ["another service", () => answering, /jobs: it is answered 200; something else answers/],
  ] as const)("leads to %s", async (_, listener, says) => {
    const { code, out } = await diagnosed(listener?.("/elsewhere"));
    expect(out).toMatch(says);
    expect(out).toMatch(/^FAIL +public URL/m);
    expect(code).toBe(1);
  });

  const redirecting: RequestListener = (_req, res) => {
    res.writeHead(301, { location: "https://www.example.com/" });
    res.end();
  };
  const answering: RequestListener = (_req, res) => void res.end("hello");

  test("is not known where nobody said it, and may be given", async () => {
    const served = await listen(receiver());
    const env = { DATABASE: temporaryFile(), TOKEN: "t" };
    const unsaid = await command(["doctor", "--inbox", fixture], { env });
    expect(unsaid.out).toMatch(/^look +public URL +nobody said/m);
    const given = ["doctor", "--inbox", fixture, "--url", served.url];
    expect((await command(given, { env })).out).toMatch(/^ok +public URL +jobs is reached$/m);
  });

  test("and why the last deliveries were refused, by the secrets of now", async () => {
    const file = temporaryFile();
    const inbox = createInbox({
      store: sqlite(file),
      sources: { jobs: socialData({ token: "an-old-one" }) },
      logger: false,
    });
    const served = await listen(nodeHandler(inbox));
    await ask(served, "/webhooks/jobs/the-token", { body: "{}" });
    await ask(served, "/webhooks/jobs/a-wrong-one", { body: '{"n":1}' });
    await inbox.close();
    const env = { DATABASE: file, TOKEN: "the-token", PUBLIC_URL: served.url };
    const { out } = await command(["doctor", "--inbox", fixture], { env });
    expect(out).toMatch(/^look +refusals +jobs: authentic by the secrets of now; .*verify-again/m);
    expect(out).toMatch(/^look +refusals +jobs: token: mismatch, is the secret here the one/m);
  });
});
