/**
 * PayPal. Facts are from https://developer.paypal.com/api/rest/webhooks/rest and event-names beside it, and its SDK
 * paypal/PayPal-Python-SDK (paypalrestsdk/notifications.py) for the signed string.
 */

import { crc32 } from "node:zlib";
import * as z from "zod";
import { certificate } from "../verify/public-key.ts";
import { instantOf } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

/** A webhook event of PayPal. */
export interface PayPalEvent {
  /** `WH-…` */
  readonly id: string;
  readonly event_type: string;
  readonly create_time?: string | null | undefined;
  readonly resource_type?: string | null | undefined;
  readonly summary?: string | null | undefined;
  readonly resource: { readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

const event: z.ZodType<PayPalEvent> = z.looseObject({
  id: z.string(),
  event_type: z.string(),
  create_time: z.string().nullish(),
  resource_type: z.string().nullish(),
  summary: z.string().nullish(),
  resource: z.looseObject({}),
});

const types = [
  "BILLING.SUBSCRIPTION.ACTIVATED",
  "BILLING.SUBSCRIPTION.CANCELLED",
  "BILLING.SUBSCRIPTION.CREATED",
  "BILLING.SUBSCRIPTION.EXPIRED",
  "BILLING.SUBSCRIPTION.PAYMENT.FAILED",
  "BILLING.SUBSCRIPTION.SUSPENDED",
  "BILLING.SUBSCRIPTION.UPDATED",
  "CHECKOUT.ORDER.APPROVED",
  "CHECKOUT.ORDER.COMPLETED",
  "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
  "PAYMENT.AUTHORIZATION.CREATED",
  "PAYMENT.AUTHORIZATION.VOIDED",
  "PAYMENT.CAPTURE.COMPLETED",
  "PAYMENT.CAPTURE.DECLINED",
  "PAYMENT.CAPTURE.DENIED",
  "PAYMENT.CAPTURE.PENDING",
  "PAYMENT.CAPTURE.REFUNDED",
  "PAYMENT.CAPTURE.REVERSED",
  "PAYMENT.SALE.COMPLETED",
  "PAYMENT.SALE.PENDING",
  "PAYMENT.SALE.REFUNDED",
  "PAYMENT.SALE.REVERSED",
] as const;

/** Event types of PayPal with their data. Further ones: name them in `events`, or handle `"*"`. */
export type PayPalEvents = Record<(typeof types)[number], PayPalEvent>;

/** The hosts in the examples of its reference (verify-webhook-signature), of live and of sandbox accounts. */
const certificateHosts: ReadonlySet<string> = new Set(["api.paypal.com", "api.sandbox.paypal.com"]);

/**
 * A source of PayPal. `webhookId` is the id that its dashboard gives the webhook (`WEBHOOK_ID` for its simulator). The
 * signature covers no more of the body than its CRC-32, which is easily met: whoever has caught a delivery could send
 * another body with it. Give a `token` as well.
 */
export const paypal: SourceFactory<PayPalEvents, "webhookId" | "token"> = defineProvider({
  name: "paypal",
  auth: ["webhookId", "token"],
  signature: certificate({
    kind: "webhookId",
    pattern: /^[A-Z0-9_]{8,64}$/,
    digest: ({ header }) => (header("paypal-auth-algo") === "SHA256withRSA" ? "sha256" : undefined),
    url: ({ header }) => header("paypal-cert-url"),
    isTrusted: ({ host, pathname }) =>
      certificateHosts.has(host) &&
      /^\/v1\/notifications\/certs\/CERT-[A-Za-z0-9-]+$/.test(pathname),
    encoding: "base64",
    header: "paypal-transmission-sig",
    reads: [
      "paypal-transmission-id",
      "paypal-transmission-time",
      "paypal-cert-url",
      "paypal-auth-algo",
    ],
    content({ header, body }, webhookId) {
      const [id, time] = [header("paypal-transmission-id"), header("paypal-transmission-time")];
      return [`${id}|${time}|${webhookId}|${crc32(body)}`];
    },
    // Whether a retry has a new time is not documented: `toleranceMs` must leave time for three days of them.
    timestamp: {
      of: ({ header }) => header("paypal-transmission-time"),
      unit: "iso",
      toleranceMs: Infinity,
    },
  }),
  methods: ["POST"],
  // "Up to 25 times over the course of 3 days".
  habits: { redelivers: "automatic", bodyStable: true },
  events: Object.fromEntries(types.map((type) => [type, event])) as Record<
    keyof PayPalEvents,
    typeof event
  >,
  personal: [
    "*",
    "!id",
    "!event_type",
    "!event_version",
    "!create_time",
    "!resource_type",
    "!resource.id",
    "!resource.status",
    "!resource.state",
  ],
  ...eventsIn({
    type: ({ event_type: type }) => type,
    id: ({ id }) => id,
    occurredAt: ({ create_time: createTime }) => instantOf(createTime),
  }),
});
