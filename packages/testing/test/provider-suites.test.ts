/** Every provider that signs, by the suite for providers. */

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { generic } from "@webhook-inbox/core/providers/generic";
import { clerk } from "@webhook-inbox/core/providers/clerk";
import { discord } from "@webhook-inbox/core/providers/discord";
import { github } from "@webhook-inbox/core/providers/github";
import { linear } from "@webhook-inbox/core/providers/linear";
import { mailgun } from "@webhook-inbox/core/providers/mailgun";
import { meta } from "@webhook-inbox/core/providers/meta";
import { paypal } from "@webhook-inbox/core/providers/paypal";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { shopify } from "@webhook-inbox/core/providers/shopify";
import { slack } from "@webhook-inbox/core/providers/slack";
import { sns } from "@webhook-inbox/core/providers/sns";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { hmac } from "@webhook-inbox/core";
import { providerSuite, type ProviderSuiteOptions } from "@webhook-inbox/testing/provider";
import { sign, testFetch } from "@webhook-inbox/testing/sign";
import { describe, test } from "vitest";

const whsec = [
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
] as const;
const texts = ["a-secret-of-some-length-1", "a-secret-of-some-length-2"] as const;

const pairs = new Map<string, KeyObject>();
/** The text of a new public key, whose private one `keyOf` finds. */
function publicKeyText(kind: "ed25519" | "ec"): string {
  const { publicKey, privateKey } =
    kind === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = publicKey.export({ type: "spki", format: "der" });
  const text = kind === "ed25519" ? der.subarray(-32).toString("hex") : der.toString("base64");
  pairs.set(text, privateKey);
  return text;
}
function keyOf(text: string): KeyObject {
  const key = pairs.get(text);
  if (key === undefined) throw new Error("no such key");
  return key;
}

const clerkUser = JSON.stringify({
  data: {
    id: "user_29w83sxmDNGwOuEthce5gg56FcC",
    object: "user",
    email_addresses: [{ id: "idn_1", email_address: "example@example.org" }],
    first_name: "Example",
  },
  object: "event",
  type: "user.created",
  timestamp: 1_654_012_591_835,
  instance_id: "ins_123",
});
const stripeEvent = JSON.stringify({
  id: "evt_1",
  object: "event",
  type: "invoice.paid",
  created: 1_749_999_000,
  livemode: false,
  data: { object: { id: "in_1", object: "invoice" } },
});
const order =
  '{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508","total_price":"403.00"}';
const sendgridBatch =
  '[{"email":"a@example.com","event":"processed","sg_event_id":"e1","timestamp":1600112492},\r\n{"email":"b@example.com","event":"bounce","sg_event_id":"e2","timestamp":1600112493,"reason":"550"}]\r\n';
const metaBatch = JSON.stringify({
  object: "whatsapp_business_account",
  entry: [
    { id: "1", changes: [{ field: "messages", value: { messages: [{ id: "wamid.1" }] } }] },
    { id: "2", changes: [{ field: "messages", value: { messages: [{ id: "wamid.2" }] } }] },
  ],
});
const mailgunRecord =
  '{"event":"delivered","id":"Ase7i2zsRYeDXztHGENqRA","timestamp":1521243339.873676,"recipient":"a@example.com"}';
const twoHeaders =
  (name: string, joint: string): NonNullable<ProviderSuiteOptions["both"]> =>
  (first, second) => ({
    ...first,
    headers: { ...first.headers, [name]: `${first.headers[name]}${joint}${second.headers[name]}` },
  });

const suites: Readonly<Record<string, Omit<ProviderSuiteOptions, "test">>> = {
  "Standard Webhooks": {
    secrets: whsec,
    source: (secret) => standardWebhooks({ secret }),
    sign: (given) => sign.standardWebhooks({ ...given, id: "msg_1" }),
    examples: [
      {
        body: '{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52"}}',
        types: ["contact.created"],
        ids: ["msg_1"],
      },
    ],
    toleranceMs: 300_000,
    both: twoHeaders("webhook-signature", " "),
  },
  "Svix's headers": {
    secrets: whsec,
    source: (secret) => standardWebhooks({ secret }),
    sign: (given) => sign.standardWebhooks({ ...given, family: "svix", id: "msg_1" }),
    examples: [{ body: '{"type":"a","data":{}}', types: ["a"], ids: ["msg_1"] }],
    toleranceMs: 300_000,
    both: twoHeaders("svix-signature", " "),
  },
  Clerk: {
    secrets: whsec,
    source: (secret) => clerk({ secret }),
    sign: (given) => sign.clerk({ ...given, id: "msg_1" }),
    examples: [
      { body: clerkUser, types: ["user.created"], ids: ["msg_1"] },
      {
        body: '{"data":{"deleted":true,"id":"user_1","object":"user"},"object":"event","type":"user.deleted"}',
        types: ["user.deleted"],
        ids: ["msg_1"],
      },
    ],
    toleranceMs: 300_000,
  },
  Stripe: {
    secrets: ["whsec_test_1", "whsec_test_2"],
    source: (secret) => stripe({ secret }),
    sign: sign.stripe,
    examples: [
      { body: stripeEvent, types: ["invoice.paid"], ids: ["evt_1"] },
      {
        body: '{"id":"evt_2","object":"v2.core.event","type":"v2.core.account.created","created":"2025-06-15T14:00:00.000Z"}',
        types: ["v2.core.account.created"],
        ids: ["evt_2"],
      },
    ],
    toleranceMs: 300_000,
    both: (first, second) => {
      const name = "stripe-signature";
      const v1 = second.headers[name]?.split(",")[1];
      return { ...first, headers: { ...first.headers, [name]: `${first.headers[name]},${v1}` } };
    },
  },
  GitHub: {
    secrets: texts,
    source: (secret, dedup) => github({ secret, dedup }),
    sign: (given) =>
      sign.github({ ...given, event: "issues", id: "72d3162e-cc78-11e3-81ab-4c9367dc0958" }),
    examples: [
      {
        body: '{"action":"opened","issue":{"number":1,"title":"t"},"repository":{"id":1,"full_name":"o/r"},"sender":{"login":"o"}}',
        types: ["issues.opened"],
        ids: ["72d3162e-cc78-11e3-81ab-4c9367dc0958"],
      },
    ],
    signsId: false,
  },
  Shopify: {
    secrets: texts,
    source: (secret, dedup) => shopify({ secret, dedup }),
    sign: (given) => sign.shopify({ ...given, topic: "orders/create", id: "w1" }),
    examples: [{ body: order, types: ["orders/create"], ids: ["w1"] }],
    signsId: false,
  },
  Slack: {
    secrets: texts,
    source: (secret) => slack({ secret }),
    sign: sign.slack,
    examples: [
      {
        body: '{"token":"t","team_id":"T1","api_app_id":"A1","event":{"type":"app_mention","text":"hi"},"type":"event_callback","event_id":"Ev08MFMKH6","event_time":1234567890}',
        types: ["app_mention"],
        ids: ["Ev08MFMKH6"],
      },
      {
        body: "command=%2Fweather&text=94070&trigger_id=13345224609.738474920.8088930838d88f008e0",
        types: ["command"],
        ids: ["13345224609.738474920.8088930838d88f008e0"],
      },
      {
        body: "payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%221.2%22%7D",
        types: ["block_actions"],
        ids: ["1.2"],
      },
    ],
    toleranceMs: 300_000,
    accepted: { status: 200, body: "" },
  },
  "Twilio's forms": {
    secrets: texts,
    source: (secret) => twilio({ secret }),
    sign: ({ body, ...given }) =>
      sign.twilio({ ...given, body: Object.fromEntries(new URLSearchParams(body)) }),
    examples: [
      {
        body: "MessageSid=SM11111111111111111111111111111111&MessageStatus=delivered&AccountSid=AC1&To=%2B1415",
        types: ["message.delivered"],
        ids: ["SM11111111111111111111111111111111:message.delivered"],
      },
      {
        body: "MessageSid=SM22222222222222222222222222222222&SmsStatus=received&Body=h%C3%A9llo+w%26rld&From=%2B1",
        types: ["message.received"],
        ids: ["SM22222222222222222222222222222222:message.received"],
      },
      {
        body: "CallSid=CA11111111111111111111111111111111&CallStatus=ringing&SequenceNumber=1",
        types: ["call.ringing"],
        ids: ["CA11111111111111111111111111111111:call.ringing:1"],
      },
    ],
    accepted: { status: 200, body: "<Response/>" },
  },
  "Twilio's JSON": {
    secrets: texts,
    source: (secret) => twilio({ secret }),
    sign: sign.twilio,
    examples: [{ body: '{"property": "value", "boolean": true}', types: ["unknown"] }],
    accepted: { status: 200, body: "<Response/>" },
  },
  SendGrid: {
    secrets: [publicKeyText("ec"), publicKeyText("ec")],
    source: (publicKey) => sendgrid({ publicKey }),
    sign: ({ secret, ...given }) => sign.sendgrid({ ...given, privateKey: keyOf(secret) }),
    examples: [
      {
        body: sendgridBatch,
        types: ["processed", "bounce"],
        ids: ["e1", "e2"],
        data: [
          {
            email: "a@example.com",
            event: "processed",
            sg_event_id: "e1",
            timestamp: 1_600_112_492,
          },
          {
            email: "b@example.com",
            event: "bounce",
            sg_event_id: "e2",
            timestamp: 1_600_112_493,
            reason: "550",
          },
        ],
        personal: ["a@example.com", "550"],
      },
    ],
  },
  PayPal: {
    secrets: ["8PT597110X687430LKGECATA", "1JE4291016473214C"],
    source: (webhookId) => paypal({ webhookId }),
    sign: ({ secret, ...given }) => sign.paypal({ ...given, webhookId: secret }),
    examples: [
      {
        body: '{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","create_time":"2019-02-14T21:50:07.940Z","resource":{"id":"1"}}',
        types: ["PAYMENT.CAPTURE.COMPLETED"],
        ids: ["WH-1"],
      },
    ],
    fetch: testFetch,
  },
  Linear: {
    secrets: texts,
    source: (secret, dedup) => linear({ secret, dedup }),
    sign: ({ body, at, ...given }) => {
      const text = body.replace('"webhookTimestamp":0', `"webhookTimestamp":${at}`);
      return sign.linear({ ...given, at, body: text, id: "d1" });
    },
    examples: [
      {
        body: '{"action":"create","type":"Issue","createdAt":"2020-01-23T12:53:18.084Z","data":{"id":"1"},"webhookTimestamp":0,"webhookId":"w"}',
        types: ["Issue.create"],
        ids: ["d1"],
      },
    ],
    toleranceMs: 60_000,
    signsId: false,
  },
  Mailgun: {
    secrets: texts,
    source: (secret) => mailgun({ secret }),
    sign: ({ body, ...given }) =>
      sign.mailgun({ ...given, body: JSON.parse(body), token: "t".repeat(50) }),
    examples: [
      {
        body: mailgunRecord,
        types: ["delivered"],
        ids: ["t".repeat(50)],
        data: [JSON.parse(mailgunRecord)],
        personal: ["a@example.com"],
      },
    ],
    coversBody: false,
  },
  Discord: {
    secrets: [publicKeyText("ed25519"), publicKeyText("ed25519")],
    source: (publicKey) => discord({ publicKey }),
    sign: ({ secret, ...given }) => sign.discord({ ...given, privateKey: keyOf(secret) }),
    examples: [
      {
        body: '{"version":1,"application_id":"1234560123453231555","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2024-10-18T14:42:53.064834","data":{"integration_type":1}}}',
        types: ["APPLICATION_AUTHORIZED"],
      },
    ],
    accepted: { status: 204, body: "" },
  },
  Meta: {
    secrets: texts,
    source: (secret) => meta({ secret }),
    sign: sign.meta,
    examples: [
      {
        body: metaBatch,
        types: ["whatsapp_business_account.messages", "whatsapp_business_account.messages"],
      },
      {
        body: '{"object":"page","entry":[{"id":"1","time":1458692752478,"messaging":[{"sender":{"id":"1"},"message":{"mid":"m"}}]}]}',
        types: ["page.messaging"],
      },
    ],
  },
  "AWS SNS": {
    secrets: ["arn:aws:sns:us-east-1:123456789012:one", "arn:aws:sns:us-east-1:123456789012:two"],
    source: (topicArn) => sns({ topicArn }),
    sign: ({ secret, body, ...given }) =>
      sign.sns({ ...given, body: JSON.parse(body), topicArn: secret }),
    examples: [
      {
        body: '{"Type":"Notification","MessageId":"m1","Message":"hello","Subject":"s"}',
        types: ["Notification"],
        ids: ["m1"],
      },
    ],
    coversBody: false,
    fetch: testFetch,
  },
  "SocialData, signed": {
    secrets: texts,
    source: (secret) => socialData({ secret, requireSignature: true }),
    sign: (given) => sign.socialData({ ...given, id: "49cd1f14-8325-4b44-9a5b-cffe7ffa82f8" }),
    examples: [
      {
        body: '{"event":"job_finished","data":{"job_id":42,"status":"success","result":{"datafile_url":"https://s3.amazonaws.com/..."}}}',
        types: ["job_finished"],
        ids: ["job:42:success"],
      },
      {
        body: '{"event":"new_tweet","data":{"id_str":"1","full_text":"t"},"meta":{"monitor_id":"01hx1r99s0nsqq1ffdhmyyqbfr","monitor_type":"user_tweets","monitored_id_str":"44196397"}}',
        types: ["new_tweet"],
        ids: ["49cd1f14-8325-4b44-9a5b-cffe7ffa82f8"],
      },
    ],
    toleranceMs: 300_000,
  },
  "a generic source with a signature": {
    secrets: texts,
    source: (secret, dedup) =>
      generic({
        secret,
        dedup,
        signature: hmac({
          algorithm: "sha256",
          encoding: "hex",
          header: "x-hub-signature-256",
          prefix: "sha256=",
        }),
        id: { header: "x-github-delivery" },
        type: "kind",
      }),
    sign: (given) => sign.github({ ...given, event: "", id: "1" }),
    examples: [{ body: '{"kind":"lead"}', types: ["lead"], ids: ["1"] }],
    signsId: false,
  },
};

/** More of them by `FUZZ_ROUNDS`. */
const fuzzRounds = Number(process.env["FUZZ_ROUNDS"] ?? 400);

describe.each(Object.entries(suites))("%s", (_, options) => {
  providerSuite({ ...options, fuzzRounds, test });
});
