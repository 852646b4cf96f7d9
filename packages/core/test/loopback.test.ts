import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";

const job = (id: number | string, more: object = {}): string =>
  JSON.stringify({
    event: "job_finished",
    data: { job_id: id, status: "success", result: { datafile_url: "https://x.test/f" }, ...more },
  });

describe("without a credential, outside production", () => {
  const create = () =>
    createInbox({
      store: memory({ acceptLoss: true }),
      sources: { socialdata: socialData() },
      logger: false,
    });

  test("a request straight from this machine is taken", async () => {
    const served = await serve(create());
    expect((await ask(served, "/webhooks/socialdata", { body: job(1) })).status).toBe(200);
  });

  const foreign = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "via",
    "x-real-ip",
    "cf-connecting-ip",
    "origin",
  ];
  for (const header of foreign) {
    test(`one that passed a proxy or comes from a page (${header}) is not`, async () => {
      const inbox = create();
      const served = await serve(inbox);
      const headers = { [header]: "127.0.0.1" };
      const { status } = await ask(served, "/webhooks/socialdata", { body: job(1), headers });
      expect(status).toBe(401);
      expect((await inbox.list()).events).toEqual([]);
    });
  }

  test("one that came by another name, as through a tunnel, is not", async () => {
    const served = await serve(create());
    for (const host of ["abc.tunnel.test", "localhost.evil.test", "10.0.0.1"]) {
      const { status } = await ask(served, "/webhooks/socialdata", {
        body: job(1),
        headers: { host },
      });
      expect(status).toBe(401);
    }
  });
});
