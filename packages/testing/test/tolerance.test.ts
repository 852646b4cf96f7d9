/** Genuine payloads that are unlike the first example: each is handled, and none is kept from its handler. */

import type { Source } from "@webhook-inbox/core";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { clerk } from "@webhook-inbox/core/providers/clerk";
import { discord } from "@webhook-inbox/core/providers/discord";
import { linear } from "@webhook-inbox/core/providers/linear";
import { mailgun } from "@webhook-inbox/core/providers/mailgun";
import { meta } from "@webhook-inbox/core/providers/meta";
import { paypal } from "@webhook-inbox/core/providers/paypal";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { shopify } from "@webhook-inbox/core/providers/shopify";
import { slack } from "@webhook-inbox/core/providers/slack";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { sign } from "@webhook-inbox/testing/sign";
import { expect, test } from "vitest";
import { signedDesk, url, type Loose } from "../../../tests/support/signed-desk.ts";

const open = { auth: "none" } as const;
const post = (body: object, headers: Record<string, string> = {}): Loose => ({
  headers,
  body: JSON.stringify(body),
});
const form = (body: string): Loose => ({
  body,
  headers: { "content-type": "application/x-www-form-urlencoded" },
});
const signature = { timestamp: "1", token: "t", signature: "s" };

const cases: Readonly<
  Record<string, readonly [source: Source, delivery: Loose, types: readonly string[]]>
> = {
  "Mailgun without variables, which are an empty list": [
    mailgun(open),
    post({
      signature,
      "event-data": { event: "opened", id: "1", timestamp: 1.5, "user-variables": [], tags: [] },
    }),
    ["opened"],
  ],
  "Mailgun, failed, with nulls": [
    mailgun(open),
    post({
      signature,
      "event-data": {
        event: "failed",
        id: "1",
        timestamp: 1,
        severity: "temporary",
        reason: null,
        "delivery-status": null,
      },
    }),
    ["failed"],
  ],
  "SocialData, an error without a text": [
    socialData(open),
    post({ event: "job_finished", data: { job_id: 1, status: "error", message: null } }),
    ["job_finished"],
  ],
  "SocialData, a monitor's event with nulls": [
    socialData(open),
    post({
      event: "new_tweet",
      data: { id_str: null },
      meta: { monitor_id: "m", monitored_id_str: null },
    }),
    ["new_tweet"],
  ],
  "Captain Data, uids as numbers, an error as a list": [
    captainData(open),
    post({ job_uid: 7, uid: 8, message: "Job successfully finished.", error: [] }),
    ["job.succeeded"],
  ],
  "Captain Data, a key that names the event": [
    captainData(open),
    post({ job_uid: "7", event: "created", message: "?" }),
    ["job.created"],
  ],
  "PayPal without a summary": [
    paypal(open),
    post({ id: "1", event_type: "PAYMENT.CAPTURE.DENIED", summary: null, resource: {} }),
    ["PAYMENT.CAPTURE.DENIED"],
  ],
  "Shopify, a privacy request with nulls": [
    shopify(open),
    post(
      { shop_id: 1, shop_domain: "s", customer: null, orders_requested: null },
      { "x-shopify-topic": "customers/data_request" },
    ),
    ["customers/data_request"],
  ],
  "Slack with a null": [
    slack(open),
    post({ type: "event_callback", event_id: "1", api_app_id: null, event: { type: "message" } }),
    ["message"],
  ],
  "SendGrid, a time as text, a status as a number, one record of an unknown kind": [
    sendgrid(open),
    {
      body: JSON.stringify([
        { event: "bounce", email: "a@b.c", timestamp: "1600112492", status: 550, sg_event_id: "1" },
        { something: "else" },
        7,
      ]),
    },
    ["bounce", "unknown", "unknown"],
  ],
  "Meta, an entry whose id is a number": [
    meta(open),
    post({
      object: "page",
      entry: [{ id: 1, time: 2, changes: [{ field: "feed", value: {} }] }, { id: 3 }],
    }),
    ["page.feed", "page.unknown"],
  ],
  "Twilio, an empty status beside another, and a field of the name `payload`": [
    twilio(open),
    form(
      "MessageSid=SM11111111111111111111111111111111&MessageStatus=&SmsStatus=received&payload=hello",
    ),
    ["message.received"],
  ],
  "Svix, a body without a type": [
    standardWebhooks(open),
    post({ hello: 1 }, { "svix-id": "1" }),
    ["received"],
  ],
  "Svix, a type of the name `event_type`": [
    standardWebhooks(open),
    post({ event_type: "a.b" }, { "webhook-id": "1" }),
    ["a.b"],
  ],
  "Clerk with nulls": [
    clerk(open),
    post(
      {
        type: "user.deleted",
        object: "event",
        data: { id: null, deleted: true },
        instance_id: null,
      },
      { "svix-id": "1" },
    ),
    ["user.deleted"],
  ],
  "Linear without an actor": [
    linear(open),
    post(
      { action: "remove", type: "Comment", data: {}, actor: null, url: null, webhookTimestamp: 1 },
      { "linear-delivery": "1" },
    ),
    ["Comment.remove"],
  ],
};

test.each(Object.entries(cases))("%s", async (_, [source, delivery, types]) => {
  const { deliver, handled, states } = await signedDesk(source);
  expect((await deliver(delivery)).status).toBeLessThan(300);
  expect(handled.map(({ type }) => type).toSorted()).toEqual(types.toSorted());
  expect(new Set(await states())).toEqual(new Set(["done"]));
});

test("Discord's times are in UTC, with or without a zone", async () => {
  const { deliver, handled } = await signedDesk(discord(open));
  for (const timestamp of ["2024-10-18T14:42:53.064834", "2024-10-18T14:42:53.064834+00:00"]) {
    await deliver(
      post({ version: 1, application_id: "1", type: 1, event: { type: "X", timestamp } }),
    );
  }
  const expected = Date.parse("2024-10-18T14:42:53.064Z");
  expect(handled.map(({ occurredAt }) => occurredAt)).toEqual([expected, expected]);
});

test("Slack's check of the certificate is answered, and not kept", async () => {
  const { deliver, states } = await signedDesk(slack({ secret: "s" }));
  const { status, body } = await deliver(
    sign.slack({ url, body: "ssl_check=1&token=t", secret: "s" }),
  );
  expect([status, body, await states()]).toEqual([200, "", []]);
});

test("Stripe and Linear may change what surrounds an event: it is a duplicate, not a conflict", async () => {
  const { deliver, states } = await signedDesk(stripe(open));
  for (const left of [2, 1])
    await deliver(post({ id: "evt_1", type: "a", pending_webhooks: left }));
  expect(await states()).toEqual(["done"]);
});
