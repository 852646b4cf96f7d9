/** Rows: `webhooks()` with little or nothing is a whole program. */

import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebhookEvent } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { exchange } from "./exchange.ts";
import { expectAnswer, job, json } from "./row.ts";
import { pages, type Given, type Serve, type Served, type Site } from "./site.ts";

/** Tests by their names. */
export function factoryTests(serve: Serve): Readonly<Record<string, () => Promise<void>>> {
  return {
    "webhooks() receives from three providers, with the environment's credentials and store": () =>
      inEnvironment(() => withServed(serve, undefined, receivesFromAll)),

    async "webhooks(options) handles what it receives"() {
      const handled: string[] = [];
      const handlers = { audata: { "*": ({ id }: WebhookEvent) => handled.push(id) } };
      await withServed(serve, { ...radioAlone(), handlers }, async ({ port, inbox }) => {
        expectAnswer(await exchange(port, { path: `/webhooks/audata/t${query}` }), 200);
        await inbox.idle();
        assert.deepEqual(handled, ["7"]);
      });
    },

    async "a path of its own is where it begins, and / is the mount point itself"() {
      for (const [path, prefix, begins] of [
        ["/in/box", "", "/in/box"],
        ["/", "/api", "/api"],
      ] as const) {
        const given: Given = { ...radioAlone(), path };
        const look = async ({ port, inbox }: Served): Promise<void> => {
          expectAnswer(await exchange(port, { path: `${begins}/audata/t${query}` }), 200);
          const elsewhere = await exchange(port, { path: `/webhooks/audata/t${query}` });
          assert.equal(elsewhere.status, 404);
          const { events } = await inbox.list();
          const kept = await inbox.get(events[0]?.key ?? "");
          const target = `${path === "/" ? "" : path}/audata/***${query}`;
          assert.equal(kept?.delivery?.target, target);
        };
        await withServed(serve, given, look, prefix);
      }
    },
  };
}

const query = "?event=Listener.updated&webhookCallId=7";

const radioAlone = () => ({
  store: memory({ acceptLoss: true }),
  sources: { audata: audata({ token: "t" }) },
  logger: false as const,
});

async function withServed(
  serve: Serve,
  given: Given,
  body: (served: Served) => Promise<void>,
  prefix: Site["prefix"] = "",
): Promise<void> {
  const served = await serve(given, { prefix, parser: "route", isFronted: false, pages });
  try {
    await body(served);
  } finally {
    await served.close();
    await served.inbox.close();
  }
}

async function inEnvironment(body: () => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "webhook-inbox-"));
  const before = { ...process.env };
  process.env["WEBHOOK_INBOX_STORE"] = `sqlite:${join(directory, "inbox.sqlite")}`;
  process.env["WEBHOOK_INBOX_TOKEN"] = "all";
  process.env["WEBHOOK_INBOX_TOKEN_CAPTAIN_DATA"] = "cap,old";
  try {
    await body();
  } finally {
    process.env = before;
    await rm(directory, { recursive: true });
  }
}

async function receivesFromAll({ port, inbox }: Served): Promise<void> {
  expectAnswer(await exchange(port, { path: "/webhooks/socialdata/all", body: job(1) }), 200);
  expectAnswer(await exchange(port, { path: `/webhooks/audata/all${query}` }), 200);
  const path = "/webhooks/captain-data/failed";
  const headers = [json, ["authorization", "Bearer old"] as const];
  expectAnswer(await exchange(port, { path, headers, body: '{"job_uid":"1"}' }), 200);
  assert.equal((await exchange(port, { path, body: "{}" })).status, 401);
  assert.equal((await inbox.list()).events.length, 3);
}
