/** The providers' own packages: what they sign is accepted here, and what `sign` signs is accepted by them. */

import { generateKeyPairSync } from "node:crypto";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import examples from "@octokit/webhooks-examples" with { type: "json" };
import { sign as githubSign, verify as githubVerify } from "@octokit/webhooks-methods";
import { clerk } from "@webhook-inbox/core/providers/clerk";
import { github } from "@webhook-inbox/core/providers/github";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { sign, type OutgoingDelivery } from "@webhook-inbox/testing/sign";
import { EventWebhook } from "@sendgrid/eventwebhook";
import { verifyKey } from "discord-interactions";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import {
  getExpectedTwilioSignature,
  validateRequest,
  validateRequestWithBody,
} from "twilio/lib/webhooks/webhooks.js";
import { describe, expect, test } from "vitest";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = '{"type":"a.b","id":"1","text":"é😀 \\u00e9","n":1.0}';
const textOf = ({ body: text }: OutgoingDelivery): string => text ?? "";

describe("Stripe's package", () => {
  const { webhooks } = new Stripe("sk_test");
  const secret = "whsec_test";
  const event = JSON.stringify({ id: "evt_1", object: "event", type: "x.y", data: { object: {} } });

  test("accepts what `sign` signs", () => {
    const signed = sign.stripe({ url, body: event, secret });
    const header = signed.headers["stripe-signature"] ?? "";
    expect(webhooks.constructEvent(textOf(signed), header, secret).id).toBe("evt_1");
    expect(() => webhooks.constructEvent(`${textOf(signed)} `, header, secret)).toThrow();
  });

  test("signs what is accepted here", async () => {
    const { deliver, handled } = await signedDesk(stripe({ secret }));
    const signature = webhooks.generateTestHeaderString({ payload: event, secret });
    const headers = { "stripe-signature": signature };
    expect((await deliver({ body: event, headers })).status).toBe(200);
    expect((await deliver({ body: `${event} `, headers })).status).toBe(401);
    expect(handled).toMatchObject([{ id: "evt_1", type: "x.y" }]);
  });
});

describe.each([
  ["standardwebhooks", StandardWebhook, "webhook", standardWebhooks({ secret: whsec })],
  ["svix", SvixWebhook, "svix", clerk({ secret: whsec })],
] as const)("the package %s", (_, Webhook, family, source) => {
  const webhook = new Webhook(whsec);

  test("accepts what `sign` signs", () => {
    const signed = sign.standardWebhooks({ url, body, secret: whsec, family });
    expect(webhook.verify(textOf(signed), { ...signed.headers })).toMatchObject({ id: "1" });
  });

  test("signs what is accepted here", async () => {
    const { deliver, handled } = await signedDesk(source);
    const at = new Date();
    const headers = {
      [`${family}-id`]: "msg_2",
      [`${family}-timestamp`]: String(Math.floor(at.getTime() / 1000)),
      [`${family}-signature`]: webhook.sign("msg_2", at, body),
    };
    expect((await deliver({ body, headers })).status).toBe(200);
    expect(
      (await deliver({ body, headers: { ...headers, [`${family}-id`]: "msg_3" } })).status,
    ).toBe(401);
    expect(handled).toMatchObject([{ id: "msg_2", type: "a.b" }]);
  });
});

describe("GitHub's package", () => {
  const secret = "It's a Secret to Everybody";

  test("accepts what `sign` signs", async () => {
    const { headers } = sign.github({ url, body, secret, event: "push" });
    expect(await githubVerify(secret, body, headers["x-hub-signature-256"] ?? "")).toBe(true);
  });

  test("signs what is accepted here", async () => {
    const { deliver } = await signedDesk(github({ secret }));
    const headers = {
      "x-hub-signature-256": await githubSign(secret, body),
      "x-github-event": "x",
    };
    expect((await deliver({ body, headers })).status).toBe(200);
  });
});

describe("GitHub's examples of its webhooks", () => {
  const secret = "s";
  const all = (
    examples as unknown as readonly { name: string; examples: readonly object[] }[]
  ).flatMap(({ name, examples: bodies }) => bodies.map((one): [string, object] => [name, one]));

  test(`all ${all.length} are taken as what they are, and fit their schemas`, async () => {
    expect(all.length).toBeGreaterThan(200);
    const { deliver, handled, states, signals } = await signedDesk(github({ secret }));
    for (const [event, example] of all) {
      const { status } = await deliver(sign.github({ url, body: example, secret, event }));
      expect(status).toBe(200);
    }
    expect(new Set(await states())).toEqual(new Set(["done"]));
    expect(signals.filter(({ kind }) => kind === "schema_drift")).toEqual([]);
    expect(handled.map(({ type }) => type)).toEqual(
      all.map(([event, example]) =>
        "action" in example ? `${event}.${String(example.action)}` : event,
      ),
    );
  }, 60_000);
});

describe("Twilio's package", () => {
  const token = "12345";
  const fields = { CallSid: "CA1", From: "+1 415", Body: "héllo&=", Empty: "" };

  test("accepts what `sign` signs", () => {
    const form = sign.twilio({ url: `${url}?a=1`, body: fields, secret: token });
    const signature = form.headers["x-twilio-signature"] ?? "";
    expect(validateRequest(token, signature, form.url, fields)).toBe(true);
    const json = sign.twilio({ url, body, secret: token });
    const other = json.headers["x-twilio-signature"] ?? "";
    expect(validateRequestWithBody(token, other, json.url, body)).toBe(true);
  });

  test("signs what is accepted here: lists, ports, an empty form", async () => {
    const { deliver } = await signedDesk(twilio({ secret: token }));
    const cases: readonly (readonly [signed: string, body: string, parameters: object])[] = [
      [url, "CallSid=CA1&CallStatus=ringing", { CallSid: "CA1", CallStatus: "ringing" }],
      [url, "a=2&b=x&a=1&a=2", { a: ["2", "1", "2"], b: "x" }],
      [`${url}?x=1&y=%20`, "MessageSid=SM1", { MessageSid: "SM1" }],
      [url.replace(".com/", ".com:443/"), "MessageSid=SM2", { MessageSid: "SM2" }],
      [url, "", {}],
    ];
    for (const [signed, text, parameters] of cases) {
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": getExpectedTwilioSignature(token, signed, parameters),
      };
      const target = signed.replace(":443", "");
      expect((await deliver({ url: target, body: text, headers })).status, signed).toBe(200);
      const other = `${target}${target.includes("?") ? "&" : "?"}z=1`;
      expect((await deliver({ url: other, body: text, headers })).status, signed).toBe(401);
    }
  });
});

test("SendGrid's package accepts what `sign` signs", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const text = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const { headers } = sign.sendgrid({ url, body: "[{}]", privateKey });
  const webhook = new EventWebhook();
  const key = webhook.convertPublicKeyToECDSA(text);
  const signature = headers["x-twilio-email-event-webhook-signature"] ?? "";
  const timestamp = headers["x-twilio-email-event-webhook-timestamp"] ?? "";
  expect(webhook.verifySignature(key, "[{}]", signature, timestamp)).toBe(true);
  expect(webhook.verifySignature(key, "[{} ]", signature, timestamp)).toBe(false);
});

test("Linear's package accepts what `sign` signs", () => {
  const secret = "s";
  const signed = sign.linear({ url, body: { action: "create", type: "Issue", data: {} }, secret });
  const client = new LinearWebhookClient(secret);
  const signature = signed.headers["linear-signature"] ?? "";
  expect(client.verify(Buffer.from(textOf(signed)), signature)).toBe(true);
  expect(() => client.verify(Buffer.from(`${textOf(signed)} `), signature)).toThrow();
});

test("Discord's package accepts what `sign` signs", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  const { headers } = sign.discord({ url, body, privateKey });
  const [signature, timestamp] = [
    headers["x-signature-ed25519"] ?? "",
    headers["x-signature-timestamp"] ?? "",
  ];
  expect(await verifyKey(body, signature, timestamp, key)).toBe(true);
  expect(await verifyKey(`${body} `, signature, timestamp, key)).toBe(false);
});
