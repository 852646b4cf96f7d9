/**
 * Anything that sends HTTP: Zapier (https://help.zapier.com/hc/en-us/articles/8496326446989-Send-webhooks-in-Zaps), Make
 * (https://apps.make.com/http), n8n (docs.n8n.io, HTTP Request node), and services of one's own. All three can send JSON,
 * forms and texts, with headers, basic credentials or queries of one's choice.
 */

import { WebhookInboxError } from "../errors.ts";
import type { Reply, Provider } from "../contracts/provider.ts";
import type { CredentialKind } from "../contracts/credentials.ts";
import type { EventMap } from "../contracts/schema.ts";
import type { Signature } from "../contracts/signature.ts";
import type { Source } from "../contracts/source.ts";
import { headerOf, queryOf, type Delivery, type Method } from "../model/delivery.ts";
import { fieldOf } from "../verify/signing.ts";
import { readJson, type Content } from "./content.ts";
import { defineProvider, type SourceOptions } from "./define-provider.ts";
import { eventsIn, type Fields } from "./events.ts";
import { formPairsOf, nest, pairsOf } from "./query.ts";

/** Where a text stands: in the content, by names joined with dots; in a header; in the query; or what a function finds. */
export type Where =
  | string
  | { readonly header: string }
  | { readonly query: string }
  | ((content: Fields, delivery: Delivery) => string | undefined);

type GenericAuth = "token" | "bearer" | "headers" | "basic" | "secret" | "publicKey";

/** Options of a generic source: its credentials, and where type and id stand. */
export type GenericOptions<Own extends EventMap> = SourceOptions<GenericAuth, Own> & {
  /** Where the event's type stands. Default: the content's `type`, else its `event`, else every event is `received`. */
  readonly type?: Where;
  /**
   * Where the event's id stands: one that the sender repeats when it sends an event again, and uses for no other. Default:
   * nowhere; equal deliveries within the same ten minutes of the clock are one event.
   */
  readonly id?: Where;
  /** Default: `["POST"]`. */
  readonly methods?: readonly Method[];
  /** `text` takes any body as it is, for handlers to read: `{ text }`. Default: JSON, or a form by its content type. */
  readonly format?: "text";
  /** How the sender signs; its key is given as `secret` or `publicKey`. */
  readonly signature?: Signature;
  /** What an accepted delivery is answered. Default: 200 and `ok`. */
  readonly accepted?: Reply;
  /** Whether the sender sends again by itself what was not accepted. Default: `unknown`. */
  readonly redelivers?: Provider["habits"]["redelivers"];
};

const ownOptions: ReadonlySet<string> = new Set([
  "type",
  "id",
  "methods",
  "format",
  "signature",
  "accepted",
  "redelivers",
]);

/**
 * A source of a sender that has no provider here.
 *
 * @example
 * leads: generic({ bearer: process.env.ZAPIER_TOKEN, type: "event", id: "lead.id" })
 */
export function generic<Own extends EventMap = {}>(options: GenericOptions<Own>): Source<Own> {
  const { type, id, methods = ["POST"], format, signature, accepted, redelivers } = options;
  const kinds: readonly CredentialKind[] = ["token", "bearer", "headers", "basic"];
  if (signature === undefined && ("secret" in options || "publicKey" in options)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      'generic: a secret needs a signature that is made with it, such as signature: hmac({ algorithm: "sha256", ' +
        'encoding: "hex", header: "x-signature" }).',
    );
  }
  refuseUnknownValues(options);
  refuseMasked(options);
  const factory = defineProvider<{}, GenericAuth>({
    name: "generic",
    auth: (signature === undefined ? kinds : [signature.kind, ...kinds]) as readonly GenericAuth[],
    ...(signature === undefined ? {} : { signature }),
    ...(accepted === undefined ? {} : { accepted }),
    methods,
    tokenInQuery: methods.includes("GET"),
    habits: { redelivers: redelivers ?? "unknown", bodyStable: true },
    events: {},
    ...eventsIn({
      content: format === "text" ? readText : readAny,
      type: (content, delivery) =>
        (type === undefined ? usualType(content) : textAt(type, content, delivery)) ?? "received",
      id: (content, delivery) => (id === undefined ? undefined : textAt(id, content, delivery)),
    }),
  });
  const given = Object.entries(options).filter(([name]) => !ownOptions.has(name));
  return factory<Own>(Object.fromEntries(given) as SourceOptions<GenericAuth, Own>);
}

/** For those whose options no types have checked. */
function refuseUnknownValues(options: GenericOptions<EventMap>): void {
  const { format, methods = ["POST"], redelivers = "unknown" } = options;
  const isMethods =
    Array.isArray(methods) &&
    methods.length > 0 &&
    methods.every((one) => one === "GET" || one === "POST");
  const checks: readonly (readonly [holds: boolean, what: string])[] = [
    [format === undefined || format === "text", 'format must be "text", or left out'],
    [isMethods, 'methods must be a list of "GET" and "POST"'],
    [redeliveries.has(redelivers), `redelivers must be one of ${[...redeliveries].join(", ")}`],
  ];
  for (const [holds, what] of checks) {
    if (!holds) throw new WebhookInboxError("OPTION_INVALID", `generic: ${what}.`);
  }
}

const redeliveries: ReadonlySet<string> = new Set(["never", "manual", "automatic", "unknown"]);

/** Credentials are masked before an event is identified: all of them would have the same id. */
function refuseMasked({ type, id, headers = {}, signature }: GenericOptions<EventMap>): void {
  const masked = [
    "authorization",
    "cookie",
    ...Object.keys(headers),
    ...(signature?.headers ?? []),
  ];
  for (const where of [type, id]) {
    if (typeof where !== "object" || !("header" in where)) continue;
    if (!masked.some((name) => name.toLowerCase() === where.header.toLowerCase())) continue;
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `generic: the header "${where.header}" carries a credential, which is not kept, so it can be no type and no id.`,
    );
  }
}

function usualType({ type, event }: Fields): string | undefined {
  if (typeof type === "string" && type !== "") return type;
  return typeof event === "string" && event !== "" ? event : undefined;
}

function textAt(where: Where, content: Fields, delivery: Delivery): string | undefined {
  if (typeof where === "function") return where(content, delivery);
  if (typeof where === "string") {
    const value = fieldOf(content, ...where.split("."));
    return typeof value === "number" ? String(value) : textOf(value);
  }
  if ("header" in where) return headerOf(delivery.headers, where.header.toLowerCase());
  const pairs = pairsOf(queryOf(delivery.target));
  return pairs.find(([name]) => name === where.query)?.[1];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

const formPattern = /^application\/x-www-form-urlencoded\b/i;

function readAny(delivery: Delivery): Content {
  if (delivery.method === "GET") {
    return { ok: true, value: fieldsOf(pairsOf(queryOf(delivery.target))) };
  }
  if (!formPattern.test(headerOf(delivery.headers, "content-type") ?? ""))
    return readJson(delivery);
  const text = readText(delivery);
  if (!text.ok) return text;
  const pairs = formPairsOf(String(fieldOf(text.value, "text")));
  return pairs === undefined
    ? { ok: false, reason: "unparsable" }
    : { ok: true, value: fieldsOf(pairs) };
}

/** Without the token, which is no data. */
function fieldsOf(pairs: ReturnType<typeof pairsOf>): Fields {
  return nest(pairs.filter(([name, value]) => name !== "token" || value !== "***"));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readText({ body }: Delivery): Content {
  if (body.length === 0) return { ok: false, reason: "empty" };
  try {
    return { ok: true, value: { text: utf8.decode(body) } };
  } catch {
    return { ok: false, reason: "unparsable" };
  }
}
