/**
 * Linear. Facts are from https://linear.app/developers/webhooks and its package `@linear/sdk` (dist/webhooks, version
 * 98.0.0).
 */

import * as z from "zod";
import { headerOf } from "../model/delivery.ts";
import { hmac } from "../verify/hmac.ts";
import { fieldOf } from "../verify/signing.ts";
import { instantOf } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

/** A webhook of Linear. */
export interface LinearEvent {
  readonly action: string;
  readonly type: string;
  readonly createdAt?: string | null | undefined;
  readonly data: { readonly [key: string]: unknown };
  readonly url?: string | null | undefined;
  readonly actor?: { readonly [key: string]: unknown } | null | undefined;
  /** Of `update`: what the changed fields were before. */
  readonly updatedFrom?: { readonly [key: string]: unknown } | null | undefined;
  readonly organizationId?: string | null | undefined;
  readonly webhookId?: string | null | undefined;
  /** Milliseconds since 1970. */
  readonly webhookTimestamp: number;
  readonly [key: string]: unknown;
}

const event: z.ZodType<LinearEvent> = z.looseObject({
  action: z.string(),
  type: z.string(),
  createdAt: z.string().nullish(),
  data: z.looseObject({}),
  url: z.string().nullish(),
  actor: z.looseObject({}).nullish(),
  updatedFrom: z.looseObject({}).nullish(),
  organizationId: z.string().nullish(),
  webhookId: z.string().nullish(),
  webhookTimestamp: z.number(),
});

const types = [
  "Attachment",
  "Comment",
  "Customer",
  "CustomerNeed",
  "Cycle",
  "Document",
  "Initiative",
  "InitiativeUpdate",
  "Issue",
  "IssueLabel",
  "Project",
  "ProjectUpdate",
  "Reaction",
  "User",
] as const;
const actions = ["create", "update", "remove"] as const;

/** `<type>.<action>`, such as `Issue.create`. Further ones: name them in `events`, or handle `"*"`. */
export type LinearEvents = Record<
  `${(typeof types)[number]}.${(typeof actions)[number]}`,
  LinearEvent
>;

/**
 * A source of Linear. `secret` is the webhook's signing secret. The signature covers the body, with its type and time, but
 * not the id (`Linear-Delivery`, a header), so `dedup: "body"` is offered. A delivery must be at most a minute old, as in
 * Linear's own package; whether a retry (after 1 minute, 1 hour, 6 hours) carries a new time is not documented: a larger
 * `toleranceMs` takes those that do not.
 */
export const linear: SourceFactory<LinearEvents, "secret" | "token"> = defineProvider({
  name: "linear",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    header: "linear-signature",
    timestamp: {
      of: ({ json }) => fieldOf(json, "webhookTimestamp"),
      unit: "ms",
      toleranceMs: 60_000,
    },
  }),
  methods: ["POST"],
  // Whether a retry is stamped anew is not documented. It waits 5 seconds.
  habits: { redelivers: "automatic", bodyStable: false, ackDeadlineMs: 5000 },
  events: Object.fromEntries(
    types.flatMap((type) => actions.map((action) => [`${type}.${action}`, event])),
  ) as Record<keyof LinearEvents, typeof event>,
  personal: [
    "*",
    "!action",
    "!type",
    "!createdAt",
    "!data.id",
    "!organizationId",
    "!webhookId",
    "!webhookTimestamp",
  ],
  ...eventsIn({
    type: ({ type, action }) =>
      typeof type === "string" ? `${type}.${String(action)}` : undefined,
    id: (_, { headers }) => headerOf(headers, "linear-delivery"),
    occurredAt: ({ createdAt }) => instantOf(createdAt),
  }),
});
