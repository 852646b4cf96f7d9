/** A source with accounts: credentials looked up by name, events told apart by it, handlers registered once. */

import { createInbox, lookup, type EventsOf, type Source } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { shopify, type ShopifyOrder } from "@webhook-inbox/core/providers/shopify";
import { socialData, type SocialDataJob } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { sign } from "@webhook-inbox/testing/sign";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const order = '{"id":1,"total_price":"1.00"}';
const now = 1_750_000_000_000;

function orderOf(account: string, secret: string, id = "w1") {
  return sign.shopify({
    url: `${url}/${account}`,
    body: order,
    secret,
    topic: "orders/create",
    id,
  });
}

describe("accounts", () => {
  const secrets: Record<string, string> = { acme: "secret-of-acme", globex: "secret-of-globex" };
  const shops = (asked: string[] = []): Source =>
    lookup(shopify, async (account) => {
      asked.push(account);
      const secret = await Promise.resolve(secrets[account]);
      return secret === undefined ? undefined : { secret };
    });

  test("have their own secrets, and equal ids of two are two events", async () => {
    const { deliver, handled, inbox } = await signedDesk(shops());
    expect((await deliver(orderOf("acme", "secret-of-acme"))).status).toBe(200);
    expect((await deliver(orderOf("globex", "secret-of-globex"))).status).toBe(200);
    expect((await deliver(orderOf("globex", "secret-of-globex"))).status).toBe(200);
    expect((await deliver(orderOf("acme", "secret-of-globex"))).status).toBe(401);
    expect(handled.map(({ source, account, id, type }) => [source, account, id, type])).toEqual([
      ["p", "acme", "w1", "orders/create"],
      ["p", "globex", "w1", "orders/create"],
    ]);
    expect(inbox.secrets().map(({ account, secret, count }) => [account, secret, count])).toEqual([
      ["acme", "secret#1", 1],
      ["globex", "secret#1", 2],
    ]);
    const { events } = await inbox.list();
    const kept = await inbox.get(events.at(-1)?.key ?? "");
    expect(kept?.delivery).toMatchObject({ account: "acme", target: "/webhooks/p/acme" });
  });

  test("that do not exist, or cannot be names, are 404 like any other path", async () => {
    const asked: string[] = [];
    const { deliver, signals } = await signedDesk(shops(asked));
    for (const name of [
      "unknown",
      "",
      "a%2fb",
      "..%2facme",
      "a".repeat(101),
      "acme/x",
      "__proto__",
      "constructor",
    ]) {
      const { status, body } = await deliver(orderOf(name, "secret-of-acme"));
      expect({ status, body }, name).toEqual({ status: 404, body: "not found" });
    }
    expect(asked).toEqual(["unknown", "acme"]);
    expect(signals.filter(({ kind }) => kind === "received")).toEqual([]);
  });

  test("are asked for once a minute; while that fails the last answer holds, and new ones get 503", async () => {
    let isAway = false;
    const asked: string[] = [];
    const source = lookup(shopify, (account) => {
      asked.push(account);
      if (isAway) throw new Error("database away");
      return { secret: `secret-of-${account}` };
    });
    const { deliver, at, signals } = await signedDesk(source, { now });
    await deliver(orderOf("acme", "secret-of-acme", "1"));
    await deliver(orderOf("acme", "secret-of-acme", "2"));
    expect(asked).toEqual(["acme"]);
    isAway = true;
    at(now + 61_000);
    expect((await deliver(orderOf("acme", "secret-of-acme", "3"))).status).toBe(200);
    expect((await deliver(orderOf("new", "secret-of-new"))).status).toBe(503);
    expect(signals.some(({ kind }) => kind === "keys_failed")).toBe(true);
    isAway = false;
    at(now + 63_000);
    expect((await deliver(orderOf("new", "secret-of-new"))).status).toBe(200);
  });

  test("may have a token and a segment in the path, and none of it is stored", async () => {
    const source = lookup(captainData, (account) => ({ token: `token-of-${account}` }));
    const { deliver, inbox, handled } = await signedDesk(source);
    const body = '{"job_uid":"j1"}';
    const to = (path: string) => deliver({ url: `${url}/${path}`, body });
    expect((await to("acme/token-of-acme/created")).status).toBe(200);
    expect((await to("acme/token-of-globex/created")).status).toBe(401);
    expect((await to("acme/token-of-acme/other")).status).toBe(404);
    expect(handled).toMatchObject([{ account: "acme", type: "job.created" }]);
    const { events } = await inbox.list();
    const kept = await inbox.get(events[0]?.key ?? "");
    expect(kept?.delivery?.target).toBe("/webhooks/p/acme/***/created");
  });

  test("with options that cannot be are our trouble: 503, and said", async () => {
    const source = lookup(shopify, () => ({ secret: "" }));
    const { deliver, lines } = await signedDesk(source);
    expect((await deliver(orderOf("acme", "x"))).status).toBe(503);
    expect(lines.map(({ message }) => message).join("\n")).toContain(
      'source "p", account "acme": secret is empty',
    );
  });

  test("large bodies, whose ids are read later, are told apart by account too", async () => {
    const source = lookup(socialData, () => ({ token: "t" }));
    const { deliver, handled } = await signedDesk(source);
    const filler = "x".repeat(300_000);
    const body = `{"event":"job_finished","data":{"job_id":1,"status":"error","message":"${filler}"}}`;
    for (const account of ["a", "b", "a"]) await deliver({ url: `${url}/${account}/t`, body });
    expect(handled.map(({ account, id }) => [account, id])).toEqual([
      ["a", "job:1:error"],
      ["b", "job:1:error"],
    ]);
  });
});

describe("what was found once", () => {
  const shop = (account: string, secret: string, id: string) => orderOf(account, secret, id);

  test("is not believed a day later while the answer is another", async () => {
    let isThere = true;
    const source = lookup(shopify, async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      return isThere ? { secret: "s" } : undefined;
    });
    const { deliver, at } = await signedDesk(source, { now });
    expect((await deliver(shop("a", "s", "1"))).status).toBe(200);
    isThere = false;
    at(now + 23 * 3_600_000);
    const answers = await Promise.all(["2", "3", "4"].map((id) => deliver(shop("a", "s", id))));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  test("and that there was nothing is believed for seconds", async () => {
    let isThere = false;
    const source = lookup(shopify, () => (isThere ? { secret: "s" } : undefined));
    const { deliver, at } = await signedDesk(source, { now });
    expect((await deliver(shop("a", "s", "1"))).status).toBe(404);
    isThere = true;
    at(now + 5001);
    expect((await deliver(shop("a", "s", "1"))).status).toBe(200);
  });

  test("is not pushed out by names of strangers, who fill no log", async () => {
    let isAway = false;
    const source = lookup(shopify, (account) => {
      if (isAway) throw new Error("away");
      return account === "real" ? { secret: "s" } : undefined;
    });
    const { deliver, at, inbox, lines } = await signedDesk(source, { now });
    await deliver(shop("real", "s", "1"));
    for (let index = 0; index < 1200; index++) {
      await deliver({ url: `${url}/n${index}`, body: "{}" });
    }
    isAway = true;
    at(now + 3_600_000);
    expect((await deliver(shop("real", "s", "2"))).status).toBe(200);
    expect(inbox.secrets()).toMatchObject([{ account: "real", count: 2 }]);
    const said = lines.length;
    for (let index = 0; index < 50; index++) {
      await deliver({ url: `${url}/m${index}`, body: "{}" });
    }
    expect(lines.length - said).toBeLessThan(10);
  });

  test("while nobody can be asked, a refused delivery is neither genuine nor forged", async () => {
    let isAway = false;
    const source = lookup(shopify, () => {
      if (isAway) throw new Error("away");
      return { secret: "s" };
    });
    const { deliver, inbox, at } = await signedDesk(source, { now });
    expect((await deliver(shop("a", "wrong", "1"))).status).toBe(401);
    expect(await inbox.verifyAgain({ dryRun: true })).toMatchObject({ refused: { mismatch: 1 } });
    isAway = true;
    at(now + 2 * 86_400_000);
    const { refused } = await inbox.verifyAgain({ dryRun: true });
    expect(refused).toEqual({ key_unavailable: 1 });
    const [event] = (await inbox.list({ state: "refused" })).events;
    const view = await inbox.view(event?.key ?? "");
    expect(view?.verdict).toMatchObject({ diagnosis: { code: "key_unavailable" } });
  });

  test.each([null, undefined, 0, false, ""])("as %s is no account", async (found) => {
    const { deliver } = await signedDesk(lookup(shopify, () => found as undefined));
    expect((await deliver(shop("a", "s", "1"))).status).toBe(404);
  });

  test("without a credential, or with everybody's, is our trouble and no open door", async () => {
    process.env["WEBHOOK_INBOX_TOKEN"] = "everybody";
    try {
      for (const found of [{}, { auth: "none" }, { token: undefined }]) {
        const { deliver } = await signedDesk(lookup(socialData, () => found as { token: string }));
        const body = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
        for (const path of ["a", "a/everybody"]) {
          expect((await deliver({ url: `${url}/${path}`, body })).status).toBe(503);
        }
      }
    } finally {
      delete process.env["WEBHOOK_INBOX_TOKEN"];
    }
  });

  test("may be a row with more than its credential; dots are no name; a repeated signature is refused", async () => {
    const row: { secret: string; name: string } = { secret: "s", name: "Acme" };
    const { deliver } = await signedDesk(lookup(shopify, () => row));
    const genuine = shop("a", "s", "1");
    expect((await deliver(genuine)).status).toBe(200);
    expect((await deliver(shop("..", "s", "1"))).status).toBe(404);
    const name = "x-shopify-hmac-sha256";
    const both = { ...genuine.headers, [name]: [genuine.headers[name] ?? "", "other"] };
    expect((await deliver({ ...genuine, headers: both as never })).status).toBe(400);
  });
});

test("the types of `on` are those of the provider", () => {
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      shops: lookup(shopify, async (account) => await Promise.resolve({ secret: account })),
      jobs: lookup(socialData, (account) => ({ token: account, requireSignature: false }), {
        retry: { types: { job_finished: { delaysMs: [1] } } },
      }),
    },
    handlers: {
      shops: { "orders/create": ({ data }) => expectTypeOf(data).toEqualTypeOf<ShopifyOrder>() },
    },
  });
  inbox.on("jobs", "job_finished", ({ data, account }) => {
    expectTypeOf(data).toEqualTypeOf<SocialDataJob>();
    expectTypeOf(account).toEqualTypeOf<string | undefined>();
  });
  // @ts-expect-error There is no such topic.
  expect(() => inbox.on("shops", "orders/created", () => undefined)).toThrow("no event type");
  const own = lookup(standardWebhooks, () => ({ secret: "whsec_AAAA" }), {
    events: { "a.b": z.object({ n: z.number() }) },
  });
  expectTypeOf<EventsOf<typeof own>["a.b"]>().toEqualTypeOf<{ n: number }>();
  // @ts-expect-error Shopify has no bearer.
  lookup(shopify, () => ({ bearer: "x" }));
});
