/**
 * SendGrid's Event Webhook. Facts are from https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
 * its package `@sendgrid/eventwebhook` (version 8.0.0).
 */

import * as z from "zod";
import { publicKey } from "../verify/public-key.ts";
import { isRecord } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn, secondsOf } from "./events.ts";

/** One record of a delivery. Custom arguments stand beside its own fields. */
export interface SendGridEvent {
  readonly event: string;
  readonly email: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly sg_event_id?: string | null | undefined;
  readonly sg_message_id?: string | null | undefined;
  readonly reason?: string | null | undefined;
  readonly status?: string | number | null | undefined;
  readonly url?: string | null | undefined;
  readonly category?: string | readonly string[] | null | undefined;
  readonly [key: string]: unknown;
}

const event: z.ZodType<SendGridEvent> = z.looseObject({
  event: z.string(),
  email: z.string(),
  timestamp: z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]),
  sg_event_id: z.string().nullish(),
  sg_message_id: z.string().nullish(),
  reason: z.string().nullish(),
  status: z.union([z.string(), z.number()]).nullish(),
  url: z.string().nullish(),
  category: z.union([z.string(), z.array(z.string())]).nullish(),
});

/** Event types of SendGrid; a blocked message is a `bounce` with `type: "blocked"`. */
export type SendGridEvents = {
  processed: SendGridEvent;
  dropped: SendGridEvent;
  delivered: SendGridEvent;
  deferred: SendGridEvent;
  bounce: SendGridEvent;
  open: SendGridEvent;
  click: SendGridEvent;
  spamreport: SendGridEvent;
  unsubscribe: SendGridEvent;
  group_unsubscribe: SendGridEvent;
  group_resubscribe: SendGridEvent;
};

const timestamp = "x-twilio-email-event-webhook-timestamp";

/** A source of SendGrid. `publicKey` is the verification key of its "Signed Event Webhook". A delivery holds many events. */
export const sendgrid: SourceFactory<SendGridEvents, "publicKey" | "token"> = defineProvider({
  name: "sendgrid",
  auth: ["publicKey", "token"],
  signature: publicKey({
    algorithm: "ecdsa-sha256",
    key: "spki",
    encoding: "base64",
    header: "x-twilio-email-event-webhook-signature",
    reads: [timestamp],
    // No tolerance is documented: what is sent again after hours must not be refused. `toleranceMs` sets one.
    timestamp: { of: ({ header }) => header(timestamp), unit: "s", toleranceMs: Infinity },
    content: ({ header, body }) => [header(timestamp), body],
  }),
  methods: ["POST"],
  // At growing intervals up to a day; the same event may come in another batch.
  habits: { redelivers: "automatic", bodyStable: false },
  events: {
    processed: event,
    dropped: event,
    delivered: event,
    deferred: event,
    bounce: event,
    open: event,
    click: event,
    spamreport: event,
    unsubscribe: event,
    group_unsubscribe: event,
    group_resubscribe: event,
  },
  // Custom arguments stand beside SendGrid's own fields, and may be anything.
  personal: ["*", "!*.event", "!*.timestamp", "!*.sg_event_id", "!*.sg_message_id", "!*.status"],
  ...eventsIn({
    items: (body) =>
      Array.isArray(body) ? body.map((one) => (isRecord(one) ? one : { value: one })) : undefined,
    type: ({ event: type }) => type,
    id: ({ sg_event_id: id }) => id,
    occurredAt: (item) => secondsOf(item["timestamp"]),
  }),
});
