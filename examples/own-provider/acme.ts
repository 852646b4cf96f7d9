/** A provider of one's own: Acme, who signs its webhooks and asks once whether the URL is ours. */

import { defineProvider, eventsIn, hmac, instantOf, readJson, fieldOf } from "@webhook-inbox/core";
import * as z from "zod";

/** What Acme documents of its events; further fields stay. */
const order = z.looseObject({
  id: z.string(),
  type: z.string(),
  created: z.string(),
  order: z.looseObject({ number: z.string(), total: z.number() }),
});

export const acme = defineProvider({
  name: "acme",
  auth: ["secret", "token"],

  // https://acme.example/docs/webhooks#signatures: "HMAC-SHA256 of the timestamp, a dot and the raw body, in hex".
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    header: "acme-signature",
    prefix: "sha256=",
    reads: ["acme-timestamp"],
    timestamp: { of: ({ header }) => header("acme-timestamp"), unit: "s", toleranceMs: 300_000 },
    content: ({ header, body }) => [`${header("acme-timestamp")}.`, body],
  }),

  methods: ["POST"],
  // https://acme.example/docs/webhooks#retries: "for three days, with the same body".
  habits: { redelivers: "automatic", bodyStable: true },

  // https://acme.example/docs/webhooks#setup: "answer the challenge as text".
  handshake(delivery) {
    const body = readJson(delivery);
    const challenge = body.ok ? fieldOf(body.value, "challenge") : undefined;
    return typeof challenge === "string" ? { body: challenge } : undefined;
  },

  events: { "order.paid": order, "order.refunded": order },
  // People who look at an event see `***` for these.
  personal: ["order.customer", "order.address"],

  ...eventsIn({
    type: ({ type }) => type,
    id: ({ id }) => id,
    occurredAt: ({ created }) => instantOf(created),
  }),
});
