/**
 * Twilio: messages and calls. Facts are from https://www.twilio.com/docs/usage/webhooks/webhooks-security,
 * https://www.twilio.com/docs/messaging/guides/track-outbound-message-status, and its package `twilio`
 * (lib/webhooks/webhooks.js, version 6.2.0).
 */

import * as z from "zod";
import type { SignedParts } from "../contracts/signature.ts";
import { sha256Hex } from "../hash.ts";
import { anyOf } from "../verify/combine.ts";
import { hmac } from "../verify/hmac.ts";
import { readFormOrJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { contentId, eventsIn, type Fields } from "./events.ts";
import { pairsOf } from "./query.ts";

/** The fields of a webhook's form, all text. "New parameters" come without notice. */
export interface TwilioMessage {
  readonly MessageSid: string;
  readonly AccountSid?: string | null | undefined;
  readonly From?: string | null | undefined;
  readonly To?: string | null | undefined;
  readonly Body?: string | null | undefined;
  readonly MessageStatus?: string | null | undefined;
  readonly SmsStatus?: string | null | undefined;
  readonly ErrorCode?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** A call's status callback. */
export interface TwilioCall {
  readonly CallSid: string;
  readonly CallStatus: string;
  readonly AccountSid?: string | null | undefined;
  readonly From?: string | null | undefined;
  readonly To?: string | null | undefined;
  readonly SequenceNumber?: string | null | undefined;
  readonly CallDuration?: string | null | undefined;
  readonly [key: string]: unknown;
}

const text = z.string().nullish();
const messageFields: z.ZodType<TwilioMessage> = z.looseObject({
  MessageSid: z.string(),
  AccountSid: text,
  From: text,
  To: text,
  Body: text,
  MessageStatus: text,
  SmsStatus: text,
  ErrorCode: text,
});
const callFields: z.ZodType<TwilioCall> = z.looseObject({
  CallSid: z.string(),
  CallStatus: z.string(),
  AccountSid: text,
  From: text,
  To: text,
  SequenceNumber: text,
  CallDuration: text,
});

const messageStatuses = [
  "accepted",
  "canceled",
  "delivered",
  "failed",
  "partially_delivered",
  "queued",
  "read",
  "received",
  "receiving",
  "scheduled",
  "sending",
  "sent",
  "undelivered",
] as const;
const callStatuses = [
  "busy",
  "canceled",
  "completed",
  "failed",
  "in-progress",
  "initiated",
  "no-answer",
  "queued",
  "ringing",
] as const;

/** `message.<status>` (`message.received` for one that came in) and `call.<status>`. */
export type TwilioEvents = Record<`message.${(typeof messageStatuses)[number]}`, TwilioMessage> &
  Record<`call.${(typeof callStatuses)[number]}`, TwilioCall>;

/** The port that the scheme means anyway: Twilio may sign the URL with it or without it. */
const portOf = { "https:": "443", "http:": "80" } as const;

/** The URL as it came, and with its standard port added or left out. */
function spellings(url: string): readonly string[] {
  const [, scheme = "", host = "", port, rest = ""] =
    /^(https?:)\/\/((?:\[[^\]]*\])|[^:/?#]*)(?::(\d+))?([^]*)$/.exec(url) ?? [];
  const standard = portOf[scheme as keyof typeof portOf];
  if (port !== undefined && port !== standard) return [url, `${scheme}//${host}${rest}`];
  return [`${scheme}//${host}${rest}`, `${scheme}//${host}:${standard}${rest}`];
}

/** The fields of a form, sorted, each name with its values: made once for each request. */
function fieldsOf(parts: SignedParts): readonly string[] {
  const made = fieldsOfParts.get(parts);
  if (made !== undefined) return made;
  const values = new Map<string, Set<string>>();
  for (const [name, value] of pairsOf(Buffer.from(parts.body).toString("utf8"))) {
    values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  const names = [...values.keys()].sort();
  const fields = names.flatMap((name) =>
    [...(values.get(name) ?? [])].sort().map((one) => name + one),
  );
  fieldsOfParts.set(parts, fields);
  return fields;
}

const fieldsOfParts = new WeakMap<SignedParts, readonly string[]>();

/** "The full URL", then of a form its fields. */
function contentOf(url: string | undefined, parts: SignedParts): readonly string[] | undefined {
  if (url === undefined) return undefined;
  const [, bodyHash] = pairsOf(parts.query).find(([name]) => name === "bodySHA256") ?? [];
  if (bodyHash !== undefined) {
    return sha256Hex(parts.body) === bodyHash ? [url] : undefined;
  }
  return [url, ...fieldsOf(parts)];
}

const spelt = (index: number): ReturnType<typeof hmac> =>
  hmac({
    algorithm: "sha1",
    encoding: "base64",
    header: "x-twilio-signature",
    signsUrl: true,
    signsBody: false,
    content: (parts) => contentOf(spellings(parts.url)[index], parts),
  });

/**
 * Names and values are signed without anything between them, so that one could be made of another: a sid is one only in its
 * whole form.
 */
const messageSidPattern = /^(?:SM|MM)[0-9a-f]{32}$/;
const callSidPattern = /^CA[0-9a-f]{32}$/;

function isOdd({ MessageSid: message, CallSid: call }: Fields): boolean {
  return (
    (message !== undefined && !messageSidPattern.test(message as string)) ||
    (call !== undefined && !callSidPattern.test(call as string))
  );
}

/** The event of a status: `SmsStatus` is what a message that came in has. */
function statusOf(fields: Fields): string | undefined {
  const message = [fields["MessageStatus"], fields["SmsStatus"]].find(Boolean);
  if (typeof message === "string") return `message.${message}`;
  const status = fields["CallStatus"];
  return typeof status === "string" && status !== "" ? `call.${status}` : undefined;
}

/**
 * A source of Twilio. `secret` is the account's auth token. Its signature covers the URL it calls, so the inbox needs its
 * `publicUrl`. It answers an empty TwiML document: "text/plain" would be sent back as a message. Calls that wait for
 * instructions are no matter of an inbox, nor are callbacks by GET: those sign no more than their URL, which a POST could be
 * turned into.
 */
export const twilio: SourceFactory<TwilioEvents, "secret" | "token"> = defineProvider({
  name: "twilio",
  auth: ["secret", "token"],
  signature: anyOf(spelt(0), spelt(1)),
  methods: ["POST"],
  // Once by default, when the connection fails. What a status is sent with may grow.
  habits: { redelivers: "unknown", bodyStable: false },
  accepted: { contentType: "text/xml", body: "<Response/>" },
  events: {
    ...(Object.fromEntries(
      messageStatuses.map((status) => [`message.${status}`, messageFields]),
    ) as Record<`message.${(typeof messageStatuses)[number]}`, typeof messageFields>),
    ...(Object.fromEntries(callStatuses.map((status) => [`call.${status}`, callFields])) as Record<
      `call.${(typeof callStatuses)[number]}`,
      typeof callFields
    >),
  },
  personal: [
    "*",
    "!MessageSid",
    "!MessageStatus",
    "!SmsStatus",
    "!CallSid",
    "!CallStatus",
    "!ErrorCode",
  ],
  ...eventsIn({
    content: readFormOrJson,
    type: (fields) => (isOdd(fields) ? undefined : (statusOf(fields) ?? "unknown")),
    // A sid is a resource's: with its status it is an event's. A call repeats its status, but not its sequence number.
    id(fields) {
      const { MessageSid: message, CallSid: call, SequenceNumber: sequence } = fields;
      if (typeof message === "string") return `${message}:${statusOf(fields)}`;
      return typeof call === "string" && typeof sequence === "string"
        ? `${call}:${statusOf(fields)}:${sequence}`
        : contentId(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  }),
});
