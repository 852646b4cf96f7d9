/** Secrets with a time, secrets from elsewhere, combined signatures, and what the operator is told when none matches. */

import { createHmac, randomBytes } from "node:crypto";
import {
  anyOf,
  createInbox,
  defineProvider,
  hmac,
  type Hmac,
  type Provider,
  type Secret,
  type Source,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { sign } from "@webhook-inbox/testing/sign";
import { describe, expect, test } from "vitest";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const now = 1_750_000_000_000;
const sha256Hex = { algorithm: "sha256", encoding: "hex", header: "x-signature" } as const;

function signer(options: Partial<Hmac> = {}, more: Partial<Provider> = {}) {
  return defineProvider({
    name: "signer",
    auth: ["secret"],
    signature: hmac({ ...sha256Hex, ...options }),
    methods: ["POST"],
    habits: { redelivers: "automatic", bodyStable: true },
    events: {},
    identify: () => ({ kind: "events", events: [{ id: undefined, type: "any" }] }),
    parse: ({ body }) => Buffer.from(body).toString(),
    ...more,
  });
}
const mac = (body: string | Uint8Array, secret: string | Buffer): string =>
  createHmac("sha256", secret).update(body).digest("hex");
const signed = (body: string, secret: string | Buffer) => ({
  body,
  headers: { "x-signature": mac(body, secret) },
});

describe("a secret with a time", () => {
  const secret: Secret = [
    { value: "new", notBefore: new Date(now) },
    { value: "old", notAfter: new Date(now + 60_000).toISOString() },
  ];

  test("is accepted within it, to the millisecond, and not outside", async () => {
    const { deliver, at, inbox, diagnoses } = await signedDesk(signer()({ secret }));
    const statuses: number[] = [];
    for (const instant of [now - 1, now, now + 60_000, now + 60_001]) {
      at(instant);
      for (const one of ["new", "old"]) {
        const { status } = await deliver(signed(`${instant} ${one}`, one));
        statuses.push(status);
      }
    }
    expect(statuses).toEqual([401, 200, 200, 200, 200, 200, 200, 401]);
    expect(diagnoses()).toEqual([
      { code: "expired", credential: "signature", detail: "secret#1 does not hold yet" },
      { code: "expired", credential: "signature", detail: "secret#2 holds no longer" },
    ]);
    expect(inbox.secrets()).toEqual([
      { source: "p", account: undefined, secret: "secret#2", count: 3, lastAt: now + 60_000 },
      { source: "p", account: undefined, secret: "secret#1", count: 3, lastAt: now + 60_001 },
    ]);
  });

  test.each([
    ["token", (dated: Secret) => audata({ token: dated })],
    ["bearer", (dated: Secret) => captainData({ bearer: dated })],
    ["header", (dated: Secret) => captainData({ headers: { "x-key": dated } })],
    ["basic", (dated: Secret) => captainData({ basic: { user: "u", password: dated } })],
  ])("may be a %s as well", async (_, source) => {
    const { deliver, at } = await signedDesk(source({ value: "s3cret", notAfter: now }));
    const send = async () =>
      (
        await deliver({
          method: "POST",
          url: `${url}${source("x").provider.name === "audata" ? "/s3cret" : ""}`,
          headers: {
            authorization: `Bearer s3cret`,
            "x-key": "s3cret",
            ...(_ === "basic" ? { authorization: `Basic ${btoa("u:s3cret")}` } : {}),
          },
          body: '{"event":"a.b","job_uid":"1"}',
        })
      ).status;
    at(now);
    expect(await send()).toBe(200);
    at(now + 1);
    expect(await send()).toBe(401);
  });

  test("without an instant in its time stops the start", () => {
    const sources = { p: signer()({ secret: { value: "s", notAfter: "soon" } }) };
    expect(() => createInbox({ store: memory({ acceptLoss: true }), sources })).toThrow(
      "notAfter that is no instant",
    );
  });
});

describe("a secret that is fetched", () => {
  test("is asked for once a minute, and while that fails the last one holds for a day", async () => {
    let asked = 0;
    let isAway = false;
    const { deliver, at, signals } = await signedDesk(
      signer()({
        secret: async () => {
          asked += 1;
          await Promise.resolve();
          if (isAway) throw new Error("the vault is away: hush-hush");
          return "s";
        },
      }),
      { now },
    );
    const send = async (what: string) => (await deliver(signed(what, "s"))).status;
    expect([await send("a"), await send("b")]).toEqual([200, 200]);
    expect(asked).toBe(1);
    isAway = true;
    at(now + 61_000);
    expect(await send("c")).toBe(200);
    at(now + 86_000_000);
    expect(await send("d")).toBe(200);
    expect(asked).toBe(3);
    at(now + 86_401_000);
    expect(await send("e")).toBe(503);
    expect(signals.filter(({ kind }) => kind === "keys_failed").length).toBeGreaterThan(0);
    expect(JSON.stringify(signals)).not.toContain("hush-hush");
    isAway = false;
    at(now + 86_403_000);
    expect(await send("e")).toBe(200);
  });

  test("that cannot be had at first: 503 with Retry-After, said to the operator, and asked for again", async () => {
    let isAway = true;
    const { deliver, at, diagnoses } = await signedDesk(
      signer()({ secret: () => (isAway ? Promise.reject(new Error("away")) : "s") }),
      { now },
    );
    const refused = await deliver(signed("a", "s"));
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toMatch(/^[1-5]$/);
    expect(diagnoses()).toEqual([{ code: "key_unavailable", credential: "signature" }]);
    isAway = false;
    at(now + 1001);
    expect((await deliver(signed("a", "s"))).status).toBe(200);
  });

  test("is asked for again when none matches, so that a rotation is noticed at once; at most every five seconds", async () => {
    let secret = "old";
    let asked = 0;
    const { deliver, at } = await signedDesk(
      signer()({
        secret: () => {
          asked += 1;
          return secret;
        },
      }),
      { now },
    );
    await deliver(signed("a", "old"));
    secret = "new";
    at(now + 6000);
    expect((await deliver(signed("b", "new"))).status).toBe(200);
    expect((await deliver(signed("b", "forged"))).status).toBe(401);
    expect((await deliver(signed("b", "forged"))).status).toBe(401);
    expect(asked).toBe(2);
  });

  test("and is none (empty, undefined, NULL) is a failure, never an open door", async () => {
    for (const bad of ["", "NULL", undefined, [], [undefined]]) {
      const source = signer()({ secret: () => bad as string });
      const { deliver } = await signedDesk(source, { now });
      expect((await deliver(signed("a", ""))).status).toBe(503);
    }
  });

  test("that never comes is given up", async () => {
    const { deliver } = await signedDesk(signer()({ secret: () => new Promise(() => undefined) }));
    expect((await deliver(signed("a", "s"))).status).toBe(503);
  }, 15_000);
});

describe("the diagnosis of a signature", () => {
  const body = '{"name":"Zoë","path":"a/b","list":[1,2]}';
  const cases: readonly (readonly [what: string, signedBody: string, detail: string])[] = [
    ["indented", JSON.stringify(JSON.parse(body), undefined, 2), "the JSON indented by two"],
    [
      "with spaces",
      '{"name": "Zoë", "path": "a/b", "list": [1, 2]}',
      "the JSON with spaces after commas and colons",
    ],
    ["in ASCII", body.replace("ë", String.raw`\u00eb`), "the JSON in ASCII"],
    [
      "by PHP",
      body.replace("ë", String.raw`\u00eb`).replace("/", String.raw`\/`),
      "the JSON in ASCII, with escaped slashes",
    ],
    [
      "by Python",
      String.raw`{"name": "Zo\u00eb", "path": "a/b", "list": [1, 2]}`,
      "the JSON in ASCII, with spaces",
    ],
    ["with a line end", `${body}\n`, "the body with a line end behind it"],
  ];
  test.each(cases)(
    "of a body that was %s when it was signed names that",
    async (_, was, detail) => {
      const { deliver, diagnoses, lines } = await signedDesk(signer()({ secret: "s" }));
      const { headers } = signed(was, "s");
      expect((await deliver({ body, headers })).status).toBe(401);
      expect(diagnoses()).toEqual([{ code: "reencoded", credential: "signature", detail }]);
      expect(lines.map(({ message }) => message).join("\n")).toContain(`reencoded, ${detail}`);
    },
  );

  test("of a body that the inbox got indented names the compact one", async () => {
    const { deliver, diagnoses } = await signedDesk(signer()({ secret: "s" }));
    await deliver({
      body: JSON.stringify(JSON.parse(body), undefined, 2),
      headers: signed(body, "s").headers,
    });
    expect(diagnoses()[0]).toMatchObject({ code: "reencoded", detail: "the JSON without spaces" });
  });

  test("of a secret in another form names the form", async () => {
    const key = randomBytes(24).toString("base64");
    for (const [options, given, used, detail] of [
      [{ key: "base64" }, key, key, "the secret is text, not base64"],
      [{}, key, Buffer.from(key, "base64"), "the secret is base64, not text"],
      [{}, ` ${key}\n`, key, "the secret has white space around it"],
    ] as const) {
      const { deliver, diagnoses } = await signedDesk(signer(options)({ secret: given }));
      await deliver(signed(body, used));
      expect(diagnoses()).toMatchObject([{ code: "mismatch", detail }]);
    }
  });

  test("of a missing header names it; of others whether the secret has ever matched", async () => {
    const { deliver, diagnoses, lines } = await signedDesk(signer()({ secret: "s" }));
    await deliver({ body });
    await deliver(signed(body, "other"));
    await deliver(signed(body, "s"));
    await deliver(signed(body, "other"));
    expect(diagnoses()).toEqual([
      { code: "missing", credential: "signature", detail: "no header x-signature" },
      { code: "mismatch", credential: "signature", matchedBefore: 0 },
      { code: "mismatch", credential: "signature", matchedBefore: 1 },
    ]);
    expect(lines.map(({ message }) => message).join("\n")).toContain("is this the one");
  });

  test("of a skew says how large it is; the sender sees one 401 for all", async () => {
    const desk = await signedDesk(stripe({ secret: "whsec_a" }), { now });
    const event = { id: "evt_1", object: "event", type: "a" };
    const stale = sign.stripe({ url, body: event, secret: "whsec_a", at: now - 400_000 });
    const wrong = sign.stripe({ url, body: event, secret: "whsec_b", at: now });
    const answers = [
      await desk.deliver(stale),
      await desk.deliver(wrong),
      await desk.deliver({ body: "{}" }),
    ];
    const said = answers.map(({ status, body: text, headers }) => {
      const { date, ...rest } = headers;
      expect(date).toBeDefined();
      return { status, text, rest };
    });
    expect(new Set(said.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(said[0]).toMatchObject({ status: 401, text: "unauthorized" });
    expect(desk.diagnoses()[0]).toEqual({
      code: "stale",
      credential: "timestamp",
      skewMs: 400_000,
    });
    expect(desk.lines.map(({ message }) => message).join("\n")).toContain("stale by 400 s");
  });

  test("is looked for deeply once a second, whatever comes", async () => {
    const { deliver, diagnoses, at } = await signedDesk(signer()({ secret: "s" }), { now });
    const { headers } = signed(`${body}\n`, "s");
    await deliver({ body, headers });
    await deliver({ body, headers });
    at(now + 1000);
    await deliver({ body, headers });
    expect(diagnoses().map(({ code }) => code)).toEqual(["reencoded", "mismatch", "reencoded"]);
  });
});

describe("a wider or narrower tolerance", () => {
  test("is the source's to set", async () => {
    const { deliver } = await signedDesk(stripe({ secret: "whsec_a", toleranceMs: 1000 }), { now });
    const event = { id: "evt_1", object: "event", type: "a" };
    for (const [skew, status] of [
      [1000, 200],
      [2000, 401],
      [-2000, 401],
    ] as const) {
      const delivery = sign.stripe({ url, body: event, secret: "whsec_a", at: now - skew });
      expect((await deliver(delivery)).status).toBe(status);
    }
  });

  test("means nothing where no time is signed, and is refused", () => {
    const sources = { p: signer()({ secret: "s", toleranceMs: 1 }) };
    expect(() => createInbox({ store: memory({ acceptLoss: true }), sources })).toThrow(
      "signs no time",
    );
  });
});

describe("any of several signatures", () => {
  const provider = signer(
    {},
    {
      signature: anyOf(hmac(sha256Hex), hmac({ ...sha256Hex, header: "x-other", key: "base64" })),
    },
  );

  test("is enough, each with the secrets that fit it", async () => {
    const key = randomBytes(32);
    const { deliver } = await signedDesk(
      provider({ secret: ["not base64!", key.toString("base64")] }),
    );
    expect((await deliver(signed("a", "not base64!"))).status).toBe(200);
    const other = { "x-other": mac("b", key) };
    expect((await deliver({ body: "b", headers: other })).status).toBe(200);
    expect((await deliver({ body: "c", headers: other })).status).toBe(401);
    expect((await deliver({ body: "c" })).status).toBe(401);
  });
});

describe("more signatures than any rotation has", () => {
  test("are refused before they cost anything", async () => {
    const { deliver, diagnoses } = await signedDesk(
      standardWebhooks({ secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }),
    );
    const genuine = sign.standardWebhooks({
      url,
      body: {},
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    const many = Array.from({ length: 17 }, () => genuine.headers["webhook-signature"]).join(" ");
    await deliver({ ...genuine, headers: { ...genuine.headers, "webhook-signature": many } });
    expect(diagnoses()).toMatchObject([{ code: "malformed" }]);
  });
});

describe("credentials that prove nothing", () => {
  const store = memory({ acceptLoss: true });
  const cases: readonly (readonly [what: string, source: Source, says: string])[] = [
    [
      "SocialData's secret alone, as its signature may be left out",
      socialData({ secret: "s" }),
      "alone proves nothing",
    ],
    [
      "SocialData's signature demanded, without a secret",
      socialData({ token: "t", requireSignature: true }),
      "secret is missing",
    ],
    ["a token for Stripe, who signs", stripe({ token: "t" }), "secret is missing"],
    [
      "the key that SocialData uses while none is set",
      socialData({ token: "t", secret: "NULL" }),
      "unset variable",
    ],
    [
      "a Svix secret that is none",
      standardWebhooks({ secret: "whsec_!" }),
      "is not the text of a key",
    ],
  ];
  test.each(cases)("stop the start: %s", (_, source, says) => {
    expect(() => createInbox({ store, sources: { p: source } })).toThrow(says);
  });
});
