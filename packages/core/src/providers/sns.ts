/**
 * AWS SNS over HTTPS. Facts are from https://docs.aws.amazon.com/sns/latest/dg (verify message signatures, message and
 * JSON formats, delivery policies) and AWS's own validators (aws-sdk-java-v2, sns-message-manager).
 */

import * as z from "zod";
import type { SignedParts } from "../contracts/signature.ts";
import { certificate } from "../verify/public-key.ts";
import { fieldOf } from "../verify/signing.ts";
import { instantOf, isRecord, readJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

/** A message of a topic. */
export interface SnsNotification {
  readonly Type: "Notification";
  readonly MessageId: string;
  readonly TopicArn: string;
  readonly Subject?: string | null | undefined;
  /** What was published: text, often JSON. */
  readonly Message: string;
  readonly Timestamp: string;
  readonly [key: string]: unknown;
}

/** Says that the subscription has ended. */
export interface SnsUnsubscribed {
  readonly Type: "UnsubscribeConfirmation";
  readonly MessageId: string;
  readonly TopicArn: string;
  /** Asked, it subscribes again. */
  readonly SubscribeURL: string;
  readonly [key: string]: unknown;
}

/** The event types of SNS, with their data. */
export type SnsEvents = {
  Notification: SnsNotification;
  UnsubscribeConfirmation: SnsUnsubscribed;
};

const notification: z.ZodType<SnsNotification> = z.looseObject({
  Type: z.literal("Notification"),
  MessageId: z.string(),
  TopicArn: z.string(),
  Subject: z.string().nullish(),
  Message: z.string(),
  Timestamp: z.string(),
});
const unsubscribed: z.ZodType<SnsUnsubscribed> = z.looseObject({
  Type: z.literal("UnsubscribeConfirmation"),
  MessageId: z.string(),
  TopicArn: z.string(),
  SubscribeURL: z.string(),
});

/** Each name and its value on lines of their own, in this order; "Subject" only where there is one. */
const signedNames = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  confirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
} as const;

function contentOf({ json }: SignedParts, topicArn: string): readonly string[] | undefined {
  if (!isRecord(json) || json["TopicArn"] !== topicArn) return undefined;
  const names = signedNames[json["Type"] === "Notification" ? "Notification" : "confirmation"];
  const lines: string[] = [];
  for (const name of names) {
    const value = json[name];
    if (name === "Subject" && (value === undefined || value === null)) continue;
    // A line end elsewhere than in the message could make one field of another under the same signature.
    if (typeof value !== "string" || (name !== "Message" && value.includes("\n"))) return undefined;
    lines.push(`${name}\n${value}\n`);
  }
  return lines;
}

const digests: Readonly<Record<string, "sha1" | "sha256">> = { "1": "sha1", "2": "sha256" };
const arnPattern =
  /^arn:aws[a-z-]*:sns:([a-z]{2}(?:-[a-z]+)+-\d+):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?$/;

/** The host of SNS in the topic's own region, and no other. */
function isHostOf(host: string, topicArn: unknown): boolean {
  const region = typeof topicArn === "string" ? arnPattern.exec(topicArn)?.[1] : undefined;
  const name = `sns.${region}.amazonaws.com`;
  return region !== undefined && (host === name || host === `${name}.cn`);
}

/** Only ever of AWS: whatever a message says, nothing else is asked. */
function isSubscribeUrl(text: unknown, topicArn: unknown): text is string {
  if (typeof text !== "string" || !URL.canParse(text)) return false;
  const { protocol, host, username, password } = new URL(text);
  const isPlain = protocol === "https:" && username === "" && password === "";
  return isPlain && isHostOf(host, topicArn);
}

/**
 * A source of AWS SNS. `topicArn` is the topic to take from: everybody's topics are signed with the same key, so a
 * signature alone says no more than "somebody at AWS". A subscription is confirmed by itself, once its message is proved.
 * Raw message delivery has no signature: leave it off.
 */
export const sns: SourceFactory<SnsEvents, "topicArn" | "token"> = defineProvider({
  name: "sns",
  auth: ["topicArn", "token"],
  signature: certificate({
    kind: "topicArn",
    pattern: arnPattern,
    digest: ({ json }) => digests[String(fieldOf(json, "SignatureVersion"))],
    url: ({ json }) => fieldOf(json, "SigningCertURL"),
    isTrusted: ({ host, pathname }, { json }) =>
      isHostOf(host, fieldOf(json, "TopicArn")) &&
      /^\/SimpleNotificationService-[a-zA-Z0-9]{32}\.pem$/.test(pathname),
    encoding: "base64",
    signatures({ json }) {
      const signature = fieldOf(json, "Signature");
      return typeof signature === "string" ? [signature] : [];
    },
    // It is when the message was published: `toleranceMs` must leave time for retries.
    timestamp: { of: ({ json }) => fieldOf(json, "Timestamp"), unit: "iso", toleranceMs: Infinity },
    content: contentOf,
    signsBody: false,
  }),
  methods: ["POST"],
  // Three times by default, 20 seconds apart, where the answer is a server's error.
  habits: { redelivers: "automatic", bodyStable: true },
  async handshake(delivery, { fetch }) {
    const body = readJson(delivery);
    if (!body.ok || fieldOf(body.value, "Type") !== "SubscriptionConfirmation") return undefined;
    const url = fieldOf(body.value, "SubscribeURL");
    if (!isSubscribeUrl(url, fieldOf(body.value, "TopicArn"))) return undefined;
    const { ok, status } = await fetch(url);
    if (!ok) throw new Error(`the subscription could not be confirmed: ${status}`);
    return { body: "" };
  },
  events: { Notification: notification, UnsubscribeConfirmation: unsubscribed },
  personal: ["*", "!Type", "!MessageId", "!TopicArn", "!Timestamp", "!SignatureVersion"],
  ...eventsIn({
    type: ({ Type }) => Type,
    id: ({ MessageId }) => MessageId,
    occurredAt: ({ Timestamp }) => instantOf(Timestamp),
  }),
});
