/**
 * Standard Webhooks, and Svix, who signs alike. Facts are from the specification
 * (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md) and, for the headers of Svix, from
 * https://docs.svix.com/receiving/verifying-payloads/how-manual.
 */

import * as z from "zod";
import { headerOf, type Delivery } from "../model/delivery.ts";
import type { Signature } from "../contracts/signature.ts";
import { anyOf } from "../verify/combine.ts";
import { hmac } from "../verify/hmac.ts";
import { publicKey } from "../verify/public-key.ts";
import { instantOf } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

/** What the specification recommends as a payload. */
export interface StandardWebhook<Data = unknown> {
  /** Dotted, such as `user.created`. */
  readonly type: string;
  /** ISO 8601: when the event occurred. */
  readonly timestamp?: string | null | undefined;
  readonly data?: Data;
  readonly [key: string]: unknown;
}

type Header = (name: string) => string;

/** Senders use one family of headers; where both stand, the ids that count are those of the family that is read. */
function named(header: Header, what: "id" | "timestamp" | "signature"): string {
  const family = header("webhook-signature") === "" ? "svix" : "webhook";
  return header(`${family}-${what}`);
}

/** "Standard base64 encoding … prefixed with `whsec_`"; the prefix is no part of the key. */
function keyOf(secret: string, prefix: string): Uint8Array | undefined {
  const text = secret.startsWith(prefix) ? secret.slice(prefix.length) : secret;
  const bytes = Buffer.from(text, "base64");
  return bytes.length > 0 && bytes.toString("base64") === text ? bytes : undefined;
}

const signing = {
  header: ["webhook-signature", "svix-signature"],
  reads: ["webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp"],
  encoding: "base64",
  // "A list of signatures (space delimited)", while keys are rotated.
  signatures: ({ header }: { readonly header: Header }) =>
    named(header, "signature").split(" ").filter(Boolean),
  timestamp: {
    of: ({ header }: { readonly header: Header }) => named(header, "timestamp"),
    unit: "s",
  },
  content: ({ header, body }: { readonly header: Header; readonly body: Uint8Array }) => [
    `${named(header, "id")}.${named(header, "timestamp")}.`,
    body,
  ],
} as const;

/** `v1` is an HMAC with a key that begins with `whsec_`, `v1a` an Ed25519 signature for one that begins with `whpk_`. */
export const standardSignature: Signature = anyOf(
  hmac({
    ...signing,
    algorithm: "sha256",
    prefix: "v1,",
    key: (secret) => keyOf(secret, "whsec_"),
  }),
  publicKey({
    ...signing,
    algorithm: "ed25519",
    prefix: "v1a,",
    key: (secret) => (secret.startsWith("whpk_") ? keyOf(secret, "whpk_") : undefined),
  }),
);

/** "Unique identifier for the webhook message", signed, and the same when it is sent again. */
export function standardId(delivery: Delivery): string {
  return named((name) => headerOf(delivery.headers, name) ?? "", "id");
}

/**
 * A source of anybody who signs by Standard Webhooks or with Svix. `secret` is the signing secret (`whsec_…`) or the
 * public key (`whpk_…`). The type is the body's `type` (or `event_type`), without one `received`. Name its event types in
 * `events`, or handle them under `"*"`.
 *
 * @example
 * acme: standardWebhooks({ secret: process.env.ACME_SECRET, events: { "invoice.paid": z.object({ … }) } })
 */
export const standardWebhooks: SourceFactory<{}, "secret" | "token"> = defineProvider<
  {},
  "secret" | "token"
>({
  name: "standard-webhooks",
  auth: ["secret", "token"],
  signature: standardSignature,
  methods: ["POST"],
  // "It is recommended that webhooks are retried", by a schedule over days.
  habits: { redelivers: "automatic", bodyStable: true },
  events: {},
  ...eventsIn({
    // The payload's shape is a recommendation: Svix leaves it to its users.
    type: ({ type, event_type: eventType }) => type ?? eventType ?? "received",
    id: (_, delivery) => standardId(delivery),
    occurredAt: ({ timestamp }) => instantOf(timestamp),
  }),
});

/** A schema for the recommended payload around `data`. */
export function standardWebhook<Data>(data: z.ZodType<Data>): z.ZodType<StandardWebhook<Data>> {
  return z.looseObject({ type: z.string(), timestamp: z.string().nullish(), data });
}
