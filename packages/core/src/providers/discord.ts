/**
 * Discord's webhook events. Facts are from discord/discord-api-docs, developers/events/webhook-events.mdx, and its package
 * `discord-interactions` (version 4.4.0). Interactions, which want their answer at once, are no matter of an inbox.
 */

import * as z from "zod";
import { publicKey } from "../verify/public-key.ts";
import { fieldOf } from "../verify/signing.ts";
import { instantOf, isRecord, readJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { contentId, eventsIn } from "./events.ts";

/** A webhook event of Discord. */
export interface DiscordEvent {
  readonly version: number;
  readonly application_id: string;
  readonly type: number;
  readonly event: {
    readonly type: string;
    /** ISO 8601, in UTC, with or without its zone. */
    readonly timestamp: string;
    readonly data?: { readonly [key: string]: unknown } | null | undefined;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

const event: z.ZodType<DiscordEvent> = z.looseObject({
  version: z.number(),
  application_id: z.string(),
  type: z.number(),
  event: z.looseObject({
    type: z.string(),
    timestamp: z.string(),
    data: z.looseObject({}).nullish(),
  }),
});

/** Event types of Discord with their data. Further ones: name them in `events`, or handle `"*"`. */
export type DiscordEvents = {
  APPLICATION_AUTHORIZED: DiscordEvent;
  APPLICATION_DEAUTHORIZED: DiscordEvent;
  ENTITLEMENT_CREATE: DiscordEvent;
  ENTITLEMENT_UPDATE: DiscordEvent;
  ENTITLEMENT_DELETE: DiscordEvent;
  QUEST_USER_ENROLLMENT: DiscordEvent;
};

const timestamp = "x-signature-timestamp";

/**
 * A source of Discord. `publicKey` is the application's. It has no event id, so the content of the body, its time included,
 * is what an event is known by. It is answered 204, and its deliberately wrong signatures 401.
 */
export const discord: SourceFactory<DiscordEvents, "publicKey" | "token"> = defineProvider({
  name: "discord",
  auth: ["publicKey", "token"],
  signature: publicKey({
    algorithm: "ed25519",
    key: "hex",
    encoding: "hex",
    header: "x-signature-ed25519",
    reads: [timestamp],
    timestamp: { of: ({ header }) => header(timestamp), unit: "s", toleranceMs: Infinity },
    content: ({ header, body }) => [header(timestamp), body],
  }),
  methods: ["POST"],
  // "Exponential backoff … for up to 10 minutes", in no order.
  habits: { redelivers: "automatic", bodyStable: true },
  accepted: { status: 204, body: "" },
  handshake(delivery) {
    const body = readJson(delivery);
    // "PING": type 0.
    return body.ok && isRecord(body.value) && body.value["type"] === 0
      ? { status: 204, body: "" }
      : undefined;
  },
  events: {
    APPLICATION_AUTHORIZED: event,
    APPLICATION_DEAUTHORIZED: event,
    ENTITLEMENT_CREATE: event,
    ENTITLEMENT_UPDATE: event,
    ENTITLEMENT_DELETE: event,
    QUEST_USER_ENROLLMENT: event,
  },
  personal: ["*", "!version", "!application_id", "!type", "!event.type", "!event.timestamp"],
  ...eventsIn({
    type: (body) => fieldOf(body, "event", "type"),
    id: (body) => contentId(body),
    occurredAt: (body) => utcOf(fieldOf(body, "event", "timestamp")),
  }),
});

/** Its examples have no zone, and mean UTC. */
function utcOf(time: unknown): number | undefined {
  const isBare = typeof time === "string" && /T[\d:.]+$/.test(time);
  return instantOf(isBare ? `${time}Z` : time);
}
