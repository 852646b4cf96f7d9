/**
 * Meta: the Graph API's webhooks, with those of WhatsApp, Messenger and Instagram. Facts are from
 * https://developers.facebook.com/docs/graph-api/webhooks/getting-started and
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview.
 */

import * as z from "zod";
import { hmac } from "../verify/hmac.ts";
import { isRecord } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn, secondsOf, type Fields } from "./events.ts";

/** One change, or one message, with what stands around it. */
export interface MetaChange {
  readonly object: string;
  /** The entry without its changes and messages: `id` and `time`. */
  readonly entry: {
    readonly id?: string | number | null | undefined;
    readonly [key: string]: unknown;
  };
  readonly field: string;
  readonly value: unknown;
  readonly [key: string]: unknown;
}

const change: z.ZodType<MetaChange> = z.looseObject({
  object: z.string(),
  entry: z.looseObject({ id: z.union([z.string(), z.number()]).nullish() }),
  field: z.string(),
  value: z.unknown(),
});

/**
 * `<object>.<field>`, such as `whatsapp_business_account.messages`; messages of pages and Instagram have the field
 * `messaging`. Further ones: name them in `events`, or handle `"*"`.
 */
export type MetaEvents = {
  "whatsapp_business_account.messages": MetaChange;
  "page.feed": MetaChange;
  "page.leadgen": MetaChange;
  "page.messaging": MetaChange;
  "instagram.comments": MetaChange;
  "instagram.mentions": MetaChange;
  "instagram.messaging": MetaChange;
};

/** "Up to 1000 updates" in one delivery: each is an event of its own. */
function changesIn(body: unknown): readonly Fields[] | undefined {
  if (!isRecord(body) || typeof body["object"] !== "string" || !Array.isArray(body["entry"])) {
    return undefined;
  }
  const { object } = body;
  return (body["entry"] as readonly unknown[]).flatMap((one) => {
    if (!isRecord(one)) return [{ object, entry: {}, field: "unknown", value: one }];
    const { changes, messaging, standby, ...entry } = one;
    const found = [
      ...listOf(changes).map((value) =>
        isRecord(value) ? { object, entry, ...value } : { object, entry, field: "unknown", value },
      ),
      ...listOf(messaging).map((value) => ({ object, entry, field: "messaging", value })),
      ...listOf(standby).map((value) => ({ object, entry, field: "standby", value })),
    ];
    return found.length > 0 ? found : [{ object, entry, field: "unknown", value: undefined }];
  });
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/**
 * A source of Meta. `secret` is the app secret; `verifyToken` what you type beside the callback URL, which Meta then asks
 * for by GET. Entries have no id of their own (theirs is the page's or the account's): each change is known by its content,
 * with the entry's time.
 */
export const meta: SourceFactory<MetaEvents, "secret" | "verifyToken" | "token"> = defineProvider({
  name: "meta",
  auth: ["secret", "verifyToken", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    header: "x-hub-signature-256",
    prefix: "sha256=",
  }),
  methods: ["POST"],
  // "With decreasing frequency over the next 36 hours", in batches of any size.
  habits: { redelivers: "automatic", bodyStable: false },
  challenge: {
    credential: "verifyToken",
    token: (query) => query.get("hub.verify_token") ?? undefined,
    answer(query) {
      const challenge = query.get("hub.challenge");
      return query.get("hub.mode") === "subscribe" && challenge !== null
        ? { body: challenge }
        : undefined;
    },
  },
  events: {
    "whatsapp_business_account.messages": change,
    "page.feed": change,
    "page.leadgen": change,
    "page.messaging": change,
    "instagram.comments": change,
    "instagram.mentions": change,
    "instagram.messaging": change,
  },
  personal: ["*", "!object", "!entry.*.id", "!entry.*.time", "!entry.*.changes.*.field"],
  ...eventsIn({
    items: changesIn,
    type: ({ object, field }) => `${String(object)}.${String(field)}`,
    id: () => undefined,
    occurredAt: ({ entry }) => (isRecord(entry) ? momentOf(entry["time"]) : undefined),
  }),
});

/** Seconds in most objects, milliseconds in those of messages. */
function momentOf(time: unknown): number | undefined {
  return typeof time === "number" && time > 1e11 ? time : secondsOf(time);
}
