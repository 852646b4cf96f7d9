/**
 * Stripe. Facts are from its package `stripe` (src/Webhooks.ts, resources/Events.d.ts, resources/V2/Core/Events.d.ts,
 * version 23.1.0) and https://docs.stripe.com/webhooks.
 */

import * as z from "zod";
import { hmac } from "../verify/hmac.ts";
import { instantOf } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn, secondsOf } from "./events.ts";

/** An event with a snapshot of its object. Give your own schema in `events` for the object of a type. */
export interface StripeEvent {
  readonly id: string;
  readonly object: "event";
  readonly type: string;
  /** Unix seconds. */
  readonly created: number;
  readonly livemode: boolean;
  readonly data: {
    readonly object: { readonly [key: string]: unknown };
    /** Of `….updated` only. */
    readonly previous_attributes?: { readonly [key: string]: unknown } | null | undefined;
    readonly [key: string]: unknown;
  };
  readonly account?: string | null | undefined;
  readonly api_version?: string | null | undefined;
  readonly [key: string]: unknown;
}

const event: z.ZodType<StripeEvent> = z.looseObject({
  id: z.string(),
  object: z.literal("event"),
  type: z.string(),
  created: z.number(),
  livemode: z.boolean(),
  data: z.looseObject({
    object: z.looseObject({}),
    previous_attributes: z.looseObject({}).nullish(),
  }),
  account: z.string().nullish(),
  api_version: z.string().nullish(),
});

const types = [
  "account.updated",
  "charge.dispute.created",
  "charge.failed",
  "charge.refunded",
  "charge.succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.completed",
  "checkout.session.expired",
  "customer.created",
  "customer.deleted",
  "customer.subscription.created",
  "customer.subscription.deleted",
  "customer.subscription.trial_will_end",
  "customer.subscription.updated",
  "customer.updated",
  "invoice.created",
  "invoice.finalized",
  "invoice.paid",
  "invoice.payment_failed",
  "invoice.payment_succeeded",
  "invoice.upcoming",
  "payment_intent.canceled",
  "payment_intent.created",
  "payment_intent.payment_failed",
  "payment_intent.succeeded",
  "payment_method.attached",
  "payout.failed",
  "payout.paid",
] as const;

/** Event types of Stripe with their data. Further ones, thin events (`v2.…`) included: name them in `events`, or handle `"*"`. */
export type StripeEvents = Record<(typeof types)[number], StripeEvent>;

/** The parts of `t=1700000000,v1=…,v1=…`. */
function partsOf(header: string, name: string): readonly string[] {
  return header
    .split(",")
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
}

/** A source of Stripe. `secret` is the endpoint's signing secret, `whsec_…`: used as text, prefix and all. */
export const stripe: SourceFactory<StripeEvents, "secret" | "token"> = defineProvider({
  name: "stripe",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    // https://docs.stripe.com/keys: secret, publishable and restricted keys.
    refusal: (secret) =>
      /^[prs]k_/.test(secret)
        ? "is an API key; the signing secret stands with the webhook endpoint, and begins with whsec_"
        : undefined,
    encoding: "hex",
    header: "stripe-signature",
    signatures: ({ header }) => partsOf(header("stripe-signature"), "v1"),
    timestamp: { of: ({ header }) => partsOf(header("stripe-signature"), "t")[0], unit: "s" },
    content: ({ header, body }) => [`${partsOf(header("stripe-signature"), "t")[0]}.`, body],
  }),
  methods: ["POST"],
  // "For up to three days with an exponential back off", in no order, and more than once; the number of webhooks that
  // have not been delivered stands in the body, and changes.
  habits: { redelivers: "automatic", bodyStable: false },
  events: Object.fromEntries(types.map((type) => [type, event])) as Record<
    keyof StripeEvents,
    typeof event
  >,
  personal: [
    "*",
    "!id",
    "!object",
    "!type",
    "!created",
    "!livemode",
    "!api_version",
    "!account",
    "!data.object.id",
    "!data.object.object",
    "!data.object.status",
  ],
  ...eventsIn({
    type: ({ type }) => type,
    id: ({ id }) => id,
    occurredAt: ({ created }) => secondsOf(created) ?? instantOf(created),
  }),
});
