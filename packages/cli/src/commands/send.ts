/** `send`: a webhook as a provider sends it, signed, to a URL. */

import { visibleJson, visible } from "@webhook-inbox/core";
import { createPrivateKey, randomUUID, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { buffer as bytesOf } from "node:stream/consumers";
import type { Command } from "commander";
import {
  audataExample,
  audataGet,
  audataPost,
  audataQueries,
  captainDataDelivery,
  captainDataExamples,
  send,
  socialDataDelivery,
  socialDataExample,
  type OutgoingDelivery,
} from "@webhook-inbox/testing/senders";
import { sign } from "@webhook-inbox/testing/sign";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";

interface SendOptions {
  readonly body?: string;
  readonly secretEnv: string;
  readonly keyFile?: string;
  readonly event?: string;
  readonly get?: boolean;
  readonly id?: string;
  readonly json?: true;
}

interface Sending {
  readonly url: string;
  /** Undefined where none was given. */
  readonly body: string | undefined;
  readonly get: boolean;
  /** Of the example that is sent where no body was given: what is sent twice under one id is a duplicate. */
  readonly id: string | undefined;
  /** Throw when they are missing. */
  readonly given: () => string;
  readonly secret: () => string;
  readonly key: () => KeyObject;
  readonly event: () => string;
  /** Undefined where none is set. */
  readonly bearer: string | undefined;
}

const fieldsOf = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Exit("usage", "this provider signs fields of its JSON, and the body is not JSON.");
  }
};

const signed =
  (signer: (given: { url: string; body: unknown; secret: string }) => OutgoingDelivery) =>
  ({ url, given, secret }: Sending): OutgoingDelivery =>
    signer({ url, body: given(), secret: secret() });

const withFields =
  (signer: (given: { url: string; body: unknown; secret: string }) => OutgoingDelivery) =>
  ({ url, given, secret }: Sending): OutgoingDelivery =>
    signer({ url, body: fieldsOf(given()), secret: secret() });

const keyed =
  (signer: (given: { url: string; body: unknown; privateKey: KeyObject }) => OutgoingDelivery) =>
  ({ url, given, key }: Sending): OutgoingDelivery =>
    signer({ url, body: given(), privateKey: key() });

const audataQuery = audataQueries["PHP http_build_query"];
const audataId = /(?<="webhookCallId": "|webhookCallId=)[\w-]+/;

function socialDataJob(id = String(Date.now())): string {
  if (!/^\d+$/.test(id)) throw new Exit("usage", "the id of a SocialData job is a number.");
  return socialDataExample.replace(/(?<="job_id": )\d+/, id);
}

/** What each provider puts on the wire. Those whose certificates only they have, PayPal and SNS, cannot be played. */
const providers: Readonly<Record<string, (sending: Sending) => OutgoingDelivery>> = {
  socialdata: ({ url, body, id }) => socialDataDelivery(url, body ?? socialDataJob(id)),
  audata: ({ url, body, get, id = randomUUID() }) =>
    get
      ? audataGet(url, body?.trim() ?? audataQuery.replace(audataId, id))
      : audataPost(url, body ?? audataExample.replace(audataId, id)),
  "captain-data": ({ url, body, bearer, id = randomUUID() }) =>
    captainDataDelivery(
      url,
      body ?? { ...captainDataExamples.succeeded, job_uid: id },
      bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` },
    ),
  clerk: signed(sign.clerk),
  discord: keyed(sign.discord),
  github: ({ url, given, secret, event }) =>
    sign.github({ url, body: given(), secret: secret(), event: event() }),
  linear: withFields(sign.linear),
  mailgun: withFields(sign.mailgun),
  meta: signed(sign.meta),
  sendgrid: keyed(sign.sendgrid),
  shopify: ({ url, given, secret, event }) =>
    sign.shopify({ url, body: given(), secret: secret(), topic: event() }),
  slack: signed(sign.slack),
  "standard-webhooks": signed(sign.standardWebhooks),
  stripe: signed(sign.stripe),
  twilio: signed(sign.twilio),
};

export function defineSend(program: Command, console: Console): void {
  program
    .command("send <provider> <url>")
    .description(`a webhook as a provider sends it: ${Object.keys(providers).join(", ")}`)
    .option(
      "--body <file>",
      "what is sent, exactly; - for the standard input (default: the documented example, with an id of its own)",
    )
    .option("--id <id>", "of the documented example: sent twice, it is a duplicate")
    .option(
      "--secret-env <name>",
      "the variable that holds the secret or the bearer token",
      "WEBHOOK_SECRET",
    )
    .option("--key-file <file>", "the private key in PEM, of discord and sendgrid")
    .option("--event <name>", "the event of github, the topic of shopify")
    .option("--get", "audata by GET; the body is the query")
    .option("--json", "JSON")
    .action(async (provider: string, url: string, options: SendOptions) => {
      const make = providers[provider];
      if (make === undefined) {
        throw new Exit(
          "usage",
          `nobody here plays ${visible(provider)}. There are: ${Object.keys(providers).join(", ")}.`,
        );
      }
      if (!/^https?:/i.test(url) || !URL.canParse(url))
        throw new Exit("usage", "the second argument must be a URL, with http://.");
      const sending = await sendingOf(provider, url, options, console);
      const answer = await sent(make(sending));
      const { out } = console;
      out.write(
        options.json === true
          ? `${visibleJson(answer)}\n`
          : `${answer.status} ${visible(inOneLine(answer.body))}\n`,
      );
      if (answer.status > 299) {
        const hint = hintOf(answer.status, provider, sending, options);
        throw new Exit("failed", ["the receiver did not take it.", hint].join(" ").trim());
      }
    });
}

const answerMax = 200;

/** The page of an error is not for a terminal. */
function inOneLine(body: string): string {
  const [line = ""] = body.trim().split("\n");
  return line.length < body.trim().length || line.length > answerMax
    ? `${line.slice(0, answerMax)} …`
    : line;
}

function hintOf(
  status: number,
  provider: string,
  { bearer }: Sending,
  { secretEnv }: SendOptions,
): string {
  if (status === 404) return "Nobody receives at this path.";
  return status === 401 && provider === "captain-data" && bearer === undefined
    ? `Its bearer token is read from the variable ${secretEnv}, which is not set.`
    : "";
}

async function sent(delivery: OutgoingDelivery): Promise<Awaited<ReturnType<typeof send>>> {
  try {
    return await send(delivery);
  } catch (error) {
    const { cause } = error as Error;
    const why = cause instanceof Error ? cause.message : String(error);
    throw new Exit("failed", `there was no answer: ${why}`);
  }
}

async function sendingOf(
  provider: string,
  url: string,
  { body: file, secretEnv, keyFile, event, get = false, id }: SendOptions,
  { env }: Console,
): Promise<Sending> {
  const body = file === undefined ? undefined : await bodyOf(file);
  const needed = <T>(value: T | undefined, what: string): T => {
    if (value === undefined || value === "") throw new Exit("usage", `${provider} needs ${what}.`);
    return value;
  };
  return {
    url,
    body,
    get,
    id,
    bearer: env[secretEnv],
    given: () => needed(body, "a body: --body <file>"),
    secret: () =>
      needed(env[secretEnv], `its secret in the variable ${secretEnv} (or --secret-env <name>)`),
    key: () =>
      createPrivateKey(readFileSync(needed(keyFile, "its private key: --key-file <file>"))),
    event: () => needed(event, "the name of the event: --event <name>"),
  };
}

/** What is no text would be altered on its way, and its signature be of something else. */
async function bodyOf(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = file === "-" ? await bytesOf(process.stdin) : readFileSync(file);
  } catch (error) {
    throw new Exit("notFound", `the body cannot be read: ${(error as Error).message}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Exit("failed", "the body is no UTF-8 text, and only texts can be sent.");
  }
}
