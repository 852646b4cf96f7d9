/**
 * Clerk, who sends by Svix. Facts are from https://clerk.com/docs/guides/development/webhooks/overview and the types of its
 * package `@clerk/backend` (dist/api/resources/Webhooks.d.ts, version 3.25.0).
 */

import * as z from "zod";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";
import { standardId, standardSignature } from "./standard-webhooks.ts";

/** What every webhook of Clerk carries around its resource. */
export interface ClerkEvent<Data> {
  readonly type: string;
  readonly object: "event";
  readonly data: Data;
  /** Milliseconds since 1970. */
  readonly timestamp?: number | null | undefined;
  readonly instance_id?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** What every resource of Clerk has. */
export interface ClerkResource {
  readonly id: string;
  readonly object?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** A user of Clerk. */
export interface ClerkUser extends ClerkResource {
  readonly email_addresses: readonly {
    readonly id: string;
    readonly email_address: string;
    readonly [key: string]: unknown;
  }[];
  readonly primary_email_address_id?: string | null | undefined;
  readonly first_name?: string | null | undefined;
  readonly last_name?: string | null | undefined;
  readonly username?: string | null | undefined;
}

/** What is left of a deleted resource. */
export interface ClerkDeleted {
  readonly id?: string | null | undefined;
  readonly deleted: boolean;
  readonly [key: string]: unknown;
}

const text = z.string().nullish();
const user: z.ZodType<ClerkUser> = z.looseObject({
  id: z.string(),
  object: z.string().nullish(),
  email_addresses: z.array(z.looseObject({ id: z.string(), email_address: z.string() })),
  primary_email_address_id: text,
  first_name: text,
  last_name: text,
  username: text,
});
const resource: z.ZodType<ClerkResource> = z.looseObject({
  id: z.string(),
  object: z.string().nullish(),
});
const gone: z.ZodType<ClerkDeleted> = z.looseObject({
  id: z.string().nullish(),
  deleted: z.boolean(),
});

function event<Data>(data: z.ZodType<Data>): z.ZodType<ClerkEvent<Data>> {
  return z.looseObject({
    type: z.string(),
    object: z.literal("event"),
    data,
    timestamp: z.number().nullish(),
    instance_id: z.string().nullish(),
  });
}

/** Event types of Clerk with their data. Further ones: name them in `events`, or handle `"*"`. */
export type ClerkEvents = {
  "user.created": ClerkEvent<ClerkUser>;
  "user.updated": ClerkEvent<ClerkUser>;
  "user.deleted": ClerkEvent<ClerkDeleted>;
  "session.created": ClerkEvent<ClerkResource>;
  "session.ended": ClerkEvent<ClerkResource>;
  "session.removed": ClerkEvent<ClerkResource>;
  "session.revoked": ClerkEvent<ClerkResource>;
  "organization.created": ClerkEvent<ClerkResource>;
  "organization.updated": ClerkEvent<ClerkResource>;
  "organization.deleted": ClerkEvent<ClerkDeleted>;
  "organizationMembership.created": ClerkEvent<ClerkResource>;
  "organizationMembership.updated": ClerkEvent<ClerkResource>;
  "organizationMembership.deleted": ClerkEvent<ClerkResource>;
};

/** A source of Clerk. `secret` is the signing secret of the endpoint, `whsec_…`. */
export const clerk: SourceFactory<ClerkEvents, "secret" | "token"> = defineProvider({
  name: "clerk",
  auth: ["secret", "token"],
  signature: standardSignature,
  methods: ["POST"],
  habits: { redelivers: "automatic", bodyStable: true },
  events: {
    "user.created": event(user),
    "user.updated": event(user),
    "user.deleted": event(gone),
    "session.created": event(resource),
    "session.ended": event(resource),
    "session.removed": event(resource),
    "session.revoked": event(resource),
    "organization.created": event(resource),
    "organization.updated": event(resource),
    "organization.deleted": event(gone),
    "organizationMembership.created": event(resource),
    "organizationMembership.updated": event(resource),
    "organizationMembership.deleted": event(resource),
  },
  personal: [
    "*",
    "!type",
    "!object",
    "!timestamp",
    "!instance_id",
    "!data.id",
    "!data.object",
    "!data.deleted",
  ],
  ...eventsIn({
    type: ({ type }) => type,
    id: (_, delivery) => standardId(delivery),
    occurredAt: ({ timestamp }) => (typeof timestamp === "number" ? timestamp : undefined),
  }),
});
