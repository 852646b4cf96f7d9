import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, test } from "vitest";
import { ask, raw, serve } from "../../../tests/support/served.ts";

const job = (id: number | string, more: object = {}): string =>
  JSON.stringify({
    event: "job_finished",
    data: { job_id: id, status: "success", result: { datafile_url: "https://x.test/f" }, ...more },
  });

describe("size", () => {
  const limit = 1000;
  const path = "/webhooks/socialdata/t0ken";
  const sized = (bytes: number): string => job(1).padEnd(bytes, " ");
  const create = () =>
    createInbox({
      store: memory({ acceptLoss: true }),
      sources: { socialdata: socialData({ token: "t0ken", bodyBytesMax: limit }) },
      logger: false,
    });

  for (const chunked of [false, true]) {
    const how = chunked ? "chunked" : "with its length announced";
    test(`a body at the limit is taken, one byte more is 413, ${how}`, async () => {
      const inbox = create();
      const served = await serve(inbox);
      const over = await ask(served, path, { body: sized(limit + 1), chunked });
      expect([over.status, over.headers.connection]).toEqual([413, "close"]);
      expect((await inbox.list()).events).toEqual([]);
      expect((await ask(served, path, { body: sized(limit), chunked })).status).toBe(200);
    });
  }

  test("a body that ends before its announced length is not taken", async () => {
    const inbox = create();
    const served = await serve(inbox);
    const seen = await raw(
      served,
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n${job(1)}`,
    );
    expect(seen).toMatch(/^(?:HTTP\/1\.1 400 |$)/);
    expect((await inbox.list()).events).toEqual([]);
  });
});
