/** One signer for each provider that signs. */

import { createHash, createHmac, randomUUID, sign as signWith, type KeyObject } from "node:crypto";
import { crc32 } from "node:zlib";
import type { OutgoingDelivery } from "../senders/delivery.ts";
import { certificateUrls, testCertificateKey } from "./test-certificate.ts";

/** What every signed delivery is made of. */
export interface ToSign {
  readonly url: string;
  /** A value to be written as JSON, or a text that is sent as it is. */
  readonly body: unknown;
  /** When it is sent, in milliseconds since 1970. Default: now. */
  readonly at?: number;
}

export interface WithSecret extends ToSign {
  readonly secret: string;
}

export interface WithKey extends ToSign {
  readonly privateKey: KeyObject;
}

type Headers = Readonly<Record<string, string>>;

function post(url: string, body: string, headers: Headers): OutgoingDelivery {
  return { method: "POST", url, headers: { "content-type": "application/json", ...headers }, body };
}

const textOf = (body: unknown): string => (typeof body === "string" ? body : JSON.stringify(body));
const secondsOf = (at: number): string => String(Math.floor(at / 1000));

function mac(
  algorithm: "sha1" | "sha256",
  key: string | Buffer,
  text: string,
  encoding: "hex" | "base64",
): string {
  return createHmac(algorithm, key).update(text).digest(encoding);
}

/** By Standard Webhooks: `secret` is `whsec_…`. `family` names the headers; Svix and Clerk write `svix`. */
export function standardWebhooks({
  url,
  body,
  secret,
  at = Date.now(),
  id = `msg_${randomUUID()}`,
  family = "webhook",
}: WithSecret & { readonly id?: string; readonly family?: "webhook" | "svix" }): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return post(url, text, {
    [`${family}-id`]: id,
    [`${family}-timestamp`]: time,
    [`${family}-signature`]: `v1,${mac("sha256", key, `${id}.${time}.${text}`, "base64")}`,
  });
}

/** A webhook as Clerk signs it: by Svix's scheme. */
export function clerk(given: WithSecret & { readonly id?: string }): OutgoingDelivery {
  return standardWebhooks({ ...given, family: "svix" });
}

/** A webhook as Stripe signs it. */
export function stripe({ url, body, secret, at = Date.now() }: WithSecret): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  const signature = mac("sha256", secret, `${time}.${text}`, "hex");
  return post(url, text, { "stripe-signature": `t=${time},v1=${signature}` });
}

/** A webhook as GitHub signs it. */
export function github({
  url,
  body,
  secret,
  event,
  id = randomUUID(),
}: WithSecret & { readonly event: string; readonly id?: string }): OutgoingDelivery {
  const text = textOf(body);
  return post(url, text, {
    "x-github-event": event,
    "x-github-delivery": id,
    "x-hub-signature-256": `sha256=${mac("sha256", secret, text, "hex")}`,
  });
}

/** A webhook as Shopify signs it. */
export function shopify({
  url,
  body,
  secret,
  topic,
  id = randomUUID(),
  at = Date.now(),
}: WithSecret & { readonly topic: string; readonly id?: string }): OutgoingDelivery {
  const text = textOf(body);
  return post(url, text, {
    "x-shopify-topic": topic,
    "x-shopify-webhook-id": id,
    "x-shopify-shop-domain": "test.myshopify.com",
    "x-shopify-triggered-at": new Date(at).toISOString(),
    "x-shopify-hmac-sha256": mac("sha256", secret, text, "base64"),
  });
}

/** `body` as a record is an event; as a text it is a form, as slash commands are. */
export function slack({ url, body, secret, at = Date.now() }: WithSecret): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  const isForm = typeof body === "string" && !body.startsWith("{");
  return post(url, text, {
    ...(isForm ? { "content-type": "application/x-www-form-urlencoded" } : {}),
    "x-slack-request-timestamp": time,
    "x-slack-signature": `v0=${mac("sha256", secret, `v0:${time}:${text}`, "hex")}`,
  });
}

/**
 * `url` is the public one, as it is set at Twilio. `body` as a record is sent as a form; as a text it is JSON, signed by
 * `bodySHA256` in the URL.
 */
export function twilio({ url, body, secret }: WithSecret): OutgoingDelivery {
  if (typeof body === "string") {
    const hash = createHash("sha256").update(body).digest("hex");
    const signed = `${url}${url.includes("?") ? "&" : "?"}bodySHA256=${hash}`;
    return post(signed, body, { "x-twilio-signature": mac("sha1", secret, signed, "base64") });
  }
  const fields = Object.entries(body as Record<string, string>).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const text = url + fields.map(([name, value]) => name + value).join("");
  return post(url, new URLSearchParams(fields).toString(), {
    "content-type": "application/x-www-form-urlencoded",
    "x-twilio-signature": mac("sha1", secret, text, "base64"),
  });
}

/** `body` is a list of events; `privateKey` of P-256. */
export function sendgrid({ url, body, privateKey, at = Date.now() }: WithKey): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  const signature = signWith("sha256", Buffer.from(time + text), privateKey).toString("base64");
  return post(url, text, {
    "x-twilio-email-event-webhook-signature": signature,
    "x-twilio-email-event-webhook-timestamp": time,
  });
}

/** With the certificate that `testFetch` finds, unless another `privateKey` is given. */
export function paypal({
  url,
  body,
  webhookId,
  privateKey = testCertificateKey,
  at = Date.now(),
}: ToSign & { readonly webhookId: string; readonly privateKey?: KeyObject }): OutgoingDelivery {
  const text = textOf(body);
  const id = randomUUID();
  const time = new Date(at).toISOString().replace(/\.\d+/, "");
  const signed = `${id}|${time}|${webhookId}|${crc32(text)}`;
  return post(url, text, {
    "paypal-transmission-id": id,
    "paypal-transmission-time": time,
    "paypal-transmission-sig": signWith("sha256", Buffer.from(signed), privateKey).toString(
      "base64",
    ),
    "paypal-cert-url": certificateUrls.paypal,
    "paypal-auth-algo": "SHA256withRSA",
  });
}

/** `webhookTimestamp` is added to the body. */
export function linear({
  url,
  body,
  secret,
  at = Date.now(),
  id = randomUUID(),
}: WithSecret & { readonly id?: string }): OutgoingDelivery {
  const text =
    typeof body === "string" ? body : JSON.stringify({ ...(body as object), webhookTimestamp: at });
  return post(url, text, {
    "linear-delivery": id,
    "linear-signature": mac("sha256", secret, text, "hex"),
  });
}

/** `body` is the record of `event-data`. */
export function mailgun({
  url,
  body,
  secret,
  at = Date.now(),
  token = randomUUID().replaceAll("-", "").padEnd(50, "0"),
}: WithSecret & { readonly token?: string }): OutgoingDelivery {
  const timestamp = secondsOf(at);
  const signature = {
    timestamp,
    token,
    signature: mac("sha256", secret, timestamp + token, "hex"),
  };
  return post(url, JSON.stringify({ signature, "event-data": body }), {});
}

/** `privateKey` of Ed25519. */
export function discord({ url, body, privateKey, at = Date.now() }: WithKey): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  return post(url, text, {
    "x-signature-timestamp": time,
    "x-signature-ed25519": signWith(undefined, Buffer.from(time + text), privateKey).toString(
      "hex",
    ),
  });
}

/** A webhook as Meta signs it. */
export function meta({ url, body, secret }: WithSecret): OutgoingDelivery {
  const text = textOf(body);
  return post(url, text, { "x-hub-signature-256": `sha256=${mac("sha256", secret, text, "hex")}` });
}

const snsNames = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  other: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
} as const;

/** `body` is the message's fields, at least `Type` and `Message`. With the certificate that `testFetch` finds. */
export function sns({
  url,
  body,
  topicArn,
  privateKey = testCertificateKey,
  at = Date.now(),
}: ToSign & { readonly topicArn: string; readonly privateKey?: KeyObject }): OutgoingDelivery {
  const message: Record<string, string> = {
    MessageId: randomUUID(),
    TopicArn: topicArn,
    Timestamp: new Date(at).toISOString(),
    ...(body as Record<string, string>),
  };
  const names = snsNames[message["Type"] === "Notification" ? "Notification" : "other"];
  const text = names
    .filter((name) => message[name] !== undefined)
    .map((name) => `${name}\n${message[name]}\n`)
    .join("");
  const signed = {
    ...message,
    SignatureVersion: "2",
    Signature: signWith("sha256", Buffer.from(text), privateKey).toString("base64"),
    SigningCertURL: certificateUrls.sns,
  };
  return post(url, JSON.stringify(signed), {
    "content-type": "text/plain; charset=UTF-8",
    "x-amz-sns-message-type": message["Type"] ?? "",
  });
}

/** SocialData's signature, as far as it is known. `secret` is the account's; its literal `NULL` while none is set. */
export function socialData({
  url,
  body,
  secret,
  at = Date.now(),
  id = randomUUID(),
}: WithSecret & { readonly id?: string }): OutgoingDelivery {
  const text = textOf(body);
  const time = secondsOf(at);
  return post(url, text, {
    "x-timestamp": time,
    "x-event-id": id,
    "x-signature": `v1=${mac("sha256", secret, `${id}.${time}.${text}`, "hex")}`,
  });
}
