/**
 * Mailgun. Facts are from https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks (securing webhooks, webhook
 * payloads, webhook retries) and events/event-structure beside it.
 */

import * as z from "zod";
import { hmac } from "../verify/hmac.ts";
import { fieldOf } from "../verify/signing.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn, secondsOf } from "./events.ts";

/** The record in `event-data`. */
export interface MailgunEvent {
  readonly event: string;
  /** "Unique within a day." */
  readonly id: string;
  /** Unix seconds, with fractions. */
  readonly timestamp: number;
  readonly recipient?: string | null | undefined;
  /** Of `failed`: `permanent` or `temporary`. */
  readonly severity?: string | null | undefined;
  readonly reason?: string | null | undefined;
  readonly message?: { readonly [key: string]: unknown } | null | undefined;
  readonly "delivery-status"?: { readonly [key: string]: unknown } | null | undefined;
  /** An empty list where there are none. */
  readonly "user-variables"?:
    | { readonly [key: string]: unknown }
    | readonly unknown[]
    | null
    | undefined;
  readonly [key: string]: unknown;
}

const event: z.ZodType<MailgunEvent> = z.looseObject({
  event: z.string(),
  id: z.string(),
  timestamp: z.number(),
  recipient: z.string().nullish(),
  severity: z.string().nullish(),
  reason: z.string().nullish(),
  message: z.looseObject({}).nullish(),
  "delivery-status": z.looseObject({}).nullish(),
  "user-variables": z.union([z.looseObject({}), z.array(z.unknown())]).nullish(),
});

/** Event types of Mailgun with the record in `event-data`. */
export type MailgunEvents = {
  accepted: MailgunEvent;
  rejected: MailgunEvent;
  delivered: MailgunEvent;
  failed: MailgunEvent;
  opened: MailgunEvent;
  clicked: MailgunEvent;
  unsubscribed: MailgunEvent;
  complained: MailgunEvent;
  stored: MailgunEvent;
};

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/**
 * A source of Mailgun. `secret` is the webhook signing key. Its signature, in the body, covers a time and a token and
 * nothing of the event: so the token is the id, as Mailgun advises ("not honor any subsequent request with the same
 * token"), and another body under it is quarantined as a conflict. Whether a retry keeps its token is not documented.
 */
export const mailgun: SourceFactory<MailgunEvents, "secret" | "token"> = defineProvider({
  name: "mailgun",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    signatures: ({ json }) => [textOf(fieldOf(json, "signature", "signature"))].filter(Boolean),
    // To check it is optional, without a figure, and retries come for 8 hours: `toleranceMs` sets one.
    timestamp: {
      of: ({ json }) => fieldOf(json, "signature", "timestamp"),
      unit: "s",
      toleranceMs: Infinity,
    },
    // Both have one length, or digits could move from one to the other under the same signature.
    content({ json }) {
      const timestamp = String(fieldOf(json, "signature", "timestamp"));
      const token = textOf(fieldOf(json, "signature", "token"));
      const isPlain = /^\d{10}$/.test(timestamp) && /^[0-9a-z]{50}$/.test(token);
      return isPlain ? [timestamp, token] : undefined;
    },
    signsBody: false,
  }),
  methods: ["POST"],
  // After 5, 10 and 15 minutes, 1, 2 and 4 hours.
  habits: { redelivers: "automatic", bodyStable: true },
  events: {
    accepted: event,
    rejected: event,
    delivered: event,
    failed: event,
    opened: event,
    clicked: event,
    unsubscribed: event,
    complained: event,
    stored: event,
  },
  personal: [
    "*",
    "!event-data.event",
    "!event-data.id",
    "!event-data.timestamp",
    "!event-data.severity",
  ],
  ...eventsIn({
    type: (body) => fieldOf(body, "event-data", "event"),
    id: (body) => fieldOf(body, "signature", "token"),
    occurredAt: (body) => secondsOf(fieldOf(body, "event-data", "timestamp")),
    data: (body) => fieldOf(body, "event-data"),
  }),
});
