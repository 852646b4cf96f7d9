/** Questions of providers: answered when they are genuine, word for word, and never stored. */

import { generateKeyPairSync } from "node:crypto";
import { createInbox, defineProvider, eventsIn, hmac } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { discord } from "@webhook-inbox/core/providers/discord";
import { meta } from "@webhook-inbox/core/providers/meta";
import { slack } from "@webhook-inbox/core/providers/slack";
import { sns } from "@webhook-inbox/core/providers/sns";
import { createHmac } from "node:crypto";
import { sign, testFetch } from "@webhook-inbox/testing/sign";
import { describe, expect, test } from "vitest";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const urlOf = (input: string | URL | Request): string =>
  input instanceof Request ? input.url : input.toString();

/** Addresses of this machine and its network, and hosts that only look like Amazon's, with a path that would be right. */
const elsewhere = (path: string): readonly string[] => [
  `http://sns.us-east-1.amazonaws.com${path}`,
  ...[
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "0177.0.0.1",
    "2130706433",
    "0.0.0.0",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "10.0.0.1",
    "metadata.google.internal",
    "sns.us-east-1.amazonaws.com:8443",
    "sns.us-east-1.amazonaws.com.evil.example",
    "sns.us-east-1.amazonaws.com.",
    "sns.us-east-1.amazonaws.com@evil.example",
    "user:password@sns.us-east-1.amazonaws.com",
    "evil.example\\@sns.us-east-1.amazonaws.com",
    "evil.example#@sns.us-east-1.amazonaws.com",
    "sns.us-east-1.amazonaws.com%00.evil.example",
    "sns.us-east-1。amazonaws.com.evil.example",
    "sns..amazonaws.com",
  ].map((host) => `https://${host}${path}`),
  `gopher://sns.us-east-1.amazonaws.com${path}`,
  `ftp://sns.us-east-1.amazonaws.com${path}`,
  `data:text/plain,${path}`,
  "file:///etc/passwd",
  "javascript:alert(1)",
  `//sns.us-east-1.amazonaws.com${path}`,
];

describe("Slack's url_verification", () => {
  const body = {
    token: "t",
    challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    type: "url_verification",
  };

  test("gets its challenge as text; nothing is kept", async () => {
    const { deliver, states, signals } = await signedDesk(slack({ secret: "s" }));
    const { status, body: text, headers } = await deliver(sign.slack({ url, body, secret: "s" }));
    expect({ status, text }).toEqual({ status: 200, text: body.challenge });
    expect(headers).toMatchObject({
      "content-type": "text/plain",
      "x-content-type-options": "nosniff",
    });
    expect(await states()).toEqual([]);
    expect(signals).toContainEqual(expect.objectContaining({ receipt: { kind: "handshake" } }));
  });

  test("that is forged gets 401, and one that could be a page gets 400", async () => {
    const { deliver } = await signedDesk(slack({ secret: "s" }));
    expect((await deliver(sign.slack({ url, body, secret: "other" }))).status).toBe(401);
    for (const challenge of ["<script>", "", "a".repeat(10_000), "a\r\nb"]) {
      const odd = await deliver(sign.slack({ url, body: { ...body, challenge }, secret: "s" }));
      expect(odd.body).not.toContain(challenge || "\0");
    }
  });
});

describe("Meta's subscription", () => {
  const ask = (query: string) => ({ method: "GET", url: `${url}?${query}` }) as const;
  const subscribe = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";

  test("gets its challenge for the right token, whichever is the right one now", async () => {
    const { deliver, states } = await signedDesk(
      meta({ secret: "s", verifyToken: ["new", "meatyhamhock"] }),
    );
    const { status, body } = await deliver(ask(`${subscribe}meatyhamhock`));
    expect({ status, body }).toEqual({ status: 200, body: "1158201444" });
    expect((await deliver(ask(`${subscribe}new`))).status).toBe(200);
    expect(await states()).toEqual([]);
  });

  test("is refused otherwise: 401 without or with a wrong token, 400 for what is no question", async () => {
    const { deliver, diagnoses } = await signedDesk(meta({ secret: "s", verifyToken: "right" }));
    for (const query of [
      `${subscribe}wrong`,
      subscribe,
      "hub.mode=subscribe&hub.challenge=1",
      "",
    ]) {
      expect((await deliver(ask(query))).status).toBe(401);
    }
    expect(diagnoses().map(({ credential }) => credential)).toContain("verifyToken");
    for (const query of [
      "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=right",
      "hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=right",
      `hub.mode=subscribe&hub.challenge=${"1".repeat(600)}&hub.verify_token=right`,
      "hub.mode=subscribe&hub.verify_token=right",
    ]) {
      expect((await deliver(ask(query))).status).toBe(400);
    }
  });

  test("without a verify token set is answered to nobody", async () => {
    const { deliver } = await signedDesk(meta({ secret: "s" }));
    expect((await deliver(ask(subscribe))).status).toBe(401);
    expect((await deliver(ask(`${subscribe}undefined`))).status).toBe(401);
  });

  test("proves no delivery: the verify token alone is no credential", () => {
    const before = process.env["NODE_ENV"];
    process.env["NODE_ENV"] = "production";
    try {
      const sources = { p: meta({ verifyToken: "v" }) };
      expect(() => createInbox({ store: memory({ acceptLoss: true }), sources })).toThrow(
        "has no credential",
      );
    } finally {
      process.env["NODE_ENV"] = before;
    }
  });
});

test("a challenge with a credential that no source can be given does not start", () => {
  const provider = defineProvider({
    name: "p",
    auth: ["token"],
    methods: ["POST"],
    habits: { redelivers: "automatic", bodyStable: true },
    events: {},
    challenge: { credential: "verifyToken", answer: () => undefined },
    ...eventsIn({ type: () => "t" }),
  });
  const sources = { p: provider({ token: "t" }) };
  expect(() => createInbox({ store: memory({ acceptLoss: true }), sources })).toThrow(
    'provider "p" answers its challenge with a verifyToken, which its auth does not name',
  );
});

test("a challenge may be answered with a MAC, as X asks", async () => {
  const provider = defineProvider({
    name: "x",
    auth: ["secret"],
    signature: hmac({
      algorithm: "sha256",
      encoding: "base64",
      header: "x-twitter-webhooks-signature",
      prefix: "sha256=",
    }),
    methods: ["POST"],
    challenge: {
      credential: "secret",
      answer(query, secret) {
        const token = query.get("crc_token");
        if (token === null) return undefined;
        const mac = createHmac("sha256", secret).update(token).digest("base64");
        return {
          contentType: "application/json",
          body: JSON.stringify({ response_token: `sha256=${mac}` }),
        };
      },
    },
    habits: { redelivers: "unknown", bodyStable: true },
    events: {},
    identify: () => ({ kind: "nothing" }),
    parse: () => undefined,
  });
  const { deliver } = await signedDesk(provider({ secret: "s" }));
  const { status, body, headers } = await deliver({ method: "GET", url: `${url}?crc_token=abc` });
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("application/json");
  const expected = createHmac("sha256", "s").update("abc").digest("base64");
  expect(JSON.parse(body)).toEqual({ response_token: `sha256=${expected}` });
  expect((await deliver({ method: "GET", url })).status).toBe(400);
});

describe("Discord's PING", () => {
  test("gets 204 without a body, its wrong signatures 401, and nothing is kept", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const key = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
    const { deliver, states } = await signedDesk(discord({ publicKey: key }));
    const ping = sign.discord({
      url,
      body: { version: 1, application_id: "1", type: 0 },
      privateKey,
    });
    const { status, body, headers } = await deliver(ping);
    expect({ status, body }).toEqual({ status: 204, body: "" });
    expect(headers["content-type"]).toBe("text/plain");
    const wrong = { ...ping.headers, "x-signature-ed25519": "00".repeat(64) };
    expect((await deliver({ ...ping, headers: wrong })).status).toBe(401);
    expect(await states()).toEqual([]);
  });
});

describe("SNS's subscription", () => {
  const topicArn = "arn:aws:sns:us-east-1:123456789012:orders";
  const confirmation = (SubscribeURL: string) => ({
    Type: "SubscriptionConfirmation",
    Message: "You have chosen to subscribe",
    Token: "2336412f37",
    SubscribeURL,
  });
  const genuine = `https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=${topicArn}&Token=2336412f37`;

  function recording() {
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = (input, init) => {
      asked.push(urlOf(input));
      expect(init?.redirect).toBe("error");
      return testFetch(input, init);
    };
    return { asked, fetch };
  }

  test("is confirmed by one GET of its URL, and nothing is kept", async () => {
    const { asked, fetch } = recording();
    const { deliver, states } = await signedDesk(sns({ topicArn }), { fetch });
    const signed = sign.sns({ url, topicArn, body: confirmation(genuine) });
    expect((await deliver(signed)).status).toBe(200);
    expect(asked.filter((one) => one === genuine)).toEqual([genuine]);
    expect(await states()).toEqual([]);
  });

  test.each([
    ...elsewhere("/?Action=ConfirmSubscription"),
    "https://evil.example/sns.us-east-1.amazonaws.com?Action=ConfirmSubscription",
    "https://s3.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
    "nonsense",
  ])("to %s is asked by nobody, even if it is signed", async (where) => {
    const { asked, fetch } = recording();
    const { deliver } = await signedDesk(sns({ topicArn }), { fetch });
    await deliver(sign.sns({ url, topicArn, body: confirmation(where) }));
    expect(asked.filter((one) => !one.endsWith(".pem"))).toEqual([]);
  });

  test("whose confirmation fails is answered 503, so that it comes again", async () => {
    const { deliver, signals } = await signedDesk(sns({ topicArn }), {
      fetch: (input, init) =>
        urlOf(input).endsWith(".pem")
          ? testFetch(input, init)
          : Promise.resolve(new Response("", { status: 500 })),
    });
    const signed = sign.sns({ url, topicArn, body: confirmation(genuine) });
    expect((await deliver(signed)).status).toBe(503);
    expect(signals.map(({ kind }) => kind)).toContain("keys_failed");
  });

  test("of another topic is refused, though Amazon has signed it; its certificate is not even asked for", async () => {
    const { asked, fetch } = recording();
    const { deliver } = await signedDesk(sns({ topicArn }), { fetch });
    const other = `${topicArn}-of-somebody-else`;
    const signed = sign.sns({ url, topicArn: other, body: { Type: "Notification", Message: "m" } });
    expect((await deliver(signed)).status).toBe(401);
    expect(asked).toEqual([]);
  });
});

describe("the certificate of a signature", () => {
  const topicArn = "arn:aws:sns:us-east-1:123456789012:orders";
  const genuine = sign.sns({ url, topicArn, body: { Type: "Notification", Message: "m" } });
  const withUrl = (SigningCertURL: string) => ({
    ...genuine,
    body: JSON.stringify({ ...(JSON.parse(genuine.body ?? "") as object), SigningCertURL }),
  });

  test.each([
    ...elsewhere("/SimpleNotificationService-00000000000000000000000000000000.pem"),
    "https://evil.example/SimpleNotificationService-00000000000000000000000000000000.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem?x=1",
    "https://sns.us-east-1.amazonaws.com/other/evil.pem",
    "https://my-bucket.s3.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem",
    "https://sns.us-east-1.amazonaws.com/..%2f..%2fevil.pem",
    "",
  ])("is not fetched from %s", async (where) => {
    const asked: unknown[] = [];
    const { deliver, diagnoses } = await signedDesk(sns({ topicArn }), {
      fetch: (input, init) => {
        asked.push(input);
        return testFetch(input, init);
      },
    });
    expect((await deliver(withUrl(where))).status).toBe(401);
    expect(asked).toEqual([]);
    expect(diagnoses()).toMatchObject([{ code: "malformed", credential: "certificate URL" }]);
  });

  test("is fetched once, without redirects, and kept", async () => {
    const asked: unknown[] = [];
    const { deliver } = await signedDesk(sns({ topicArn }), {
      fetch: (input, init) => {
        asked.push(init?.redirect);
        return testFetch(input, init);
      },
    });
    for (const Message of ["a", "b", "c"]) {
      const signed = sign.sns({ url, topicArn, body: { Type: "Notification", Message } });
      expect((await deliver(signed)).status).toBe(200);
    }
    expect(asked).toEqual(["error"]);
  });

  test.each<[string, () => Promise<Response>]>([
    ["that is not answered", () => Promise.reject(new TypeError("away"))],
    ["that is answered 404", () => Promise.resolve(new Response("", { status: 404 }))],
    ["that is no certificate", () => Promise.resolve(new Response("hello"))],
    ["that never ends", () => Promise.resolve(new Response("a".repeat(100_000)))],
  ])("%s: 503, and the operator sees that the key is missing", async (_, fetch) => {
    const { deliver, diagnoses } = await signedDesk(sns({ topicArn }), { fetch });
    expect((await deliver(genuine)).status).toBe(503);
    expect(diagnoses()).toMatchObject([{ code: "key_unavailable", credential: "certificate" }]);
  });

  test("of a time that is not ours: 401", async () => {
    const { deliver, diagnoses } = await signedDesk(sns({ topicArn }), {
      fetch: testFetch,
      now: Date.parse("2120-01-01"),
    });
    expect((await deliver(genuine)).status).toBe(401);
    expect(diagnoses()).toMatchObject([{ code: "malformed", credential: "certificate" }]);
  });

  test("of ever new names is fetched thirty times a minute at most, and the genuine one stays", async () => {
    let asked = 0;
    const { deliver } = await signedDesk(sns({ topicArn }), {
      now: 1_750_000_000_000,
      fetch: (input, init) => {
        asked += 1;
        return testFetch(input, init);
      },
    });
    expect((await deliver(genuine)).status).toBe(200);
    for (let name = 1; name <= 60; name++) {
      const where = `https://sns.us-east-1.amazonaws.com/SimpleNotificationService-${String(name).padStart(32, "0")}.pem`;
      expect((await deliver(withUrl(where))).status).toBe(503);
    }
    expect(asked).toBe(30);
    const next = sign.sns({ url, topicArn, body: { Type: "Notification", Message: "next" } });
    expect((await deliver(next)).status).toBe(200);
  });
});
