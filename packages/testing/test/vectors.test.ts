/** What providers, and those who quote them, published as signed: secret, message and signature, from elsewhere than here. */

import { readFileSync } from "node:fs";
import type { Source } from "@webhook-inbox/core";
import { github } from "@webhook-inbox/core/providers/github";
import { mailgun } from "@webhook-inbox/core/providers/mailgun";
import { paypal } from "@webhook-inbox/core/providers/paypal";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { slack } from "@webhook-inbox/core/providers/slack";
import { sns } from "@webhook-inbox/core/providers/sns";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { expect, test } from "vitest";
import { signedDesk, type Loose } from "../../../tests/support/signed-desk.ts";

interface Vector extends Loose {
  readonly source: Source;
  /** When it was signed, in milliseconds since 1970. */
  readonly at?: number;
  readonly certificate?: string;
  /** Where the inbox is, if the URL is signed. */
  readonly place?: { readonly publicUrl: string; readonly path: string; readonly name: string };
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(`${import.meta.dirname}/vectors/${name}.json`, "utf8"));
}
const sent = read("sendgrid") as {
  publicKey: string;
  signature: string;
  timestamp: string;
  body: string;
};
const paid = read("paypal") as {
  cert: string;
  webhookId: string;
  headers: Record<string, string>;
  body: string;
};
const published = read("sns") as { cert: string; messages: Record<string, string>[] };

const standard = {
  at: 1_614_265_330_000,
  body: '{"test": 2432232314}',
  headers: { "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330" },
};
const sendgridHeaders = (signature: string, timestamp: string): Record<string, string> => ({
  "x-twilio-email-event-webhook-signature": signature,
  "x-twilio-email-event-webhook-timestamp": timestamp,
});

const vectors: Readonly<Record<string, Vector>> = {
  "GitHub, page 'Validating webhook deliveries'": {
    source: github({ secret: "It's a Secret to Everybody" }),
    body: "Hello, World!",
    headers: {
      "x-hub-signature-256":
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    },
  },
  "Slack, page 'Verifying requests from Slack'": {
    source: slack({ secret: "8f742231b10e8888abcd99yyyzzz85a5" }),
    at: 1_531_420_618_000,
    body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": "1531420618",
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    },
  },
  "Standard Webhooks, its specification": {
    ...standard,
    source: standardWebhooks({ secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }),
    headers: {
      ...standard.headers,
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
  },
  "Standard Webhooks with a public key, test_asymmetric_key_signing of svix-server": {
    ...standard,
    source: standardWebhooks({ secret: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=" }),
    headers: {
      ...standard.headers,
      "webhook-signature":
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
    },
  },
  "SendGrid, one event, its package's tests": {
    source: sendgrid({
      publicKey:
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
    }),
    body: '[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
    headers: sendgridHeaders(
      "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
      "1600112502",
    ),
  },
  "SendGrid, two events, its package's tests": {
    source: sendgrid({ publicKey: sent.publicKey }),
    body: sent.body,
    headers: sendgridHeaders(sent.signature, sent.timestamp),
  },
  "Twilio, a form, its package's tests": {
    source: twilio({ secret: "12345" }),
    place: { publicUrl: "https://mycompany.com", path: "/", name: "myapp.php" },
    url: "https://mycompany.com/myapp.php?foo=1&bar=2",
    body: "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    },
  },
  "Twilio, JSON, its package's tests": {
    source: twilio({ secret: "12345" }),
    place: { publicUrl: "https://mycompany.com", path: "/", name: "myapp.php" },
    url: "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
    body: '{"property": "value", "boolean": true}',
    headers: { "x-twilio-signature": "a9nBmqA0ju/hNViExpshrM61xv4=" },
  },
  "Mailgun, tests of mailgun/mailgun-php": {
    source: mailgun({ secret: "key-3ax6xnjp29jd6fds4gc373sgvjxteol0" }),
    body: JSON.stringify({
      signature: {
        timestamp: "1403645220",
        token: "5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6",
        signature: "9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33",
      },
      "event-data": { event: "opened", id: "1", timestamp: 1_403_645_220.5 },
    }),
  },
  "PayPal, an event of its simulator": {
    source: paypal({ webhookId: paid.webhookId }),
    at: Date.parse("2025-06-01"),
    certificate: paid.cert,
    body: paid.body,
    headers: paid.headers,
  },
};
const topicArn = "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic";
const snsVectors = Object.fromEntries(
  published.messages.map((message): [string, Vector] => [
    `AWS SNS, ${message["Type"]} of version ${message["SignatureVersion"]}, tests of aws-sdk-java-v2`,
    {
      source: sns({ topicArn }),
      at: Date.parse("2026-03-07"),
      certificate: published.cert,
      body: JSON.stringify(message),
    },
  ]),
);

test.each(Object.entries({ ...vectors, ...snsVectors }))(
  "%s: accepted, and altered it is not",
  async (_, vector) => {
    const { source, at, certificate, place = {} } = vector;
    const { deliver } = await signedDesk(source, {
      ...place,
      ...(at === undefined ? {} : { now: at }),
      fetch: () =>
        certificate === undefined
          ? Promise.reject(new TypeError("no network"))
          : Promise.resolve(new Response(certificate)),
    });
    expect((await deliver(vector)).status).toBe(200);
    for (const body of altered(String(vector.body))) {
      expect((await deliver({ ...vector, body })).status).toBe(401);
    }
  },
);

/** Bodies that the signature does not fit; of signatures inside the body those whose signed fields are others. */
function altered(body: string): readonly string[] {
  if (body.includes('"SigningCertURL"')) return [body.replace('"Message":"', '"Message":"!')];
  if (body.includes('"event-data"')) return [body.replace("1403645220", "1403645221")];
  return [`${body} `, body.slice(1), body.replace(/[a-z]/, "_")];
}
