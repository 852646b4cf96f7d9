/** Audata as its page "Webhooks" describes it. How it writes nested data into URL parameters is not documented. */

import { randomUUID } from "node:crypto";
import { audataGet, audataPost } from "../senders/audata.ts";
import { call, type Call, type Calling } from "./loopback.ts";

export interface AudataOptions extends Calling {
  /** "The unique subdomain of the station." Default: `developerfm`. */
  readonly station?: string;
  /**
   * How records stand in the parameters of a GET: in brackets, as Rails writes them, with dots, or as JSON in one parameter.
   * Default: `brackets`.
   */
  readonly nesting?: "brackets" | "dots" | "json";
}

/** The form "New Webhook". */
export interface NewWebhook {
  /** Which one it is for: each webhook has one. */
  readonly event: `${string}.${"created" | "updated" | "deleted"}`;
  /** Must begin with `https://`. */
  readonly endpoint: string;
  readonly method: "GET" | "POST";
}

/** A line of the webhook logs. */
export interface AudataLog extends Call {
  readonly webhookCallId: string;
  readonly event: string;
}

/** A record: fields of any kind, and records and lists of them. */
export type AudataFields = Readonly<Record<string, unknown>> & { readonly id: number };

/** The sending side of Audata. */
export interface SimulatedAudata {
  /** "New Webhook", "Save Webhook". Throws for an endpoint without https: "plain HTTP endpoints will be rejected". */
  newWebhook(webhook: NewWebhook): void;
  /** Something happens to a record: every webhook for that event is called, once. */
  change(
    record: string,
    action: "created" | "updated" | "deleted",
    sender: AudataFields,
  ): Promise<readonly AudataLog[]>;
  /** The webhook logs, by `webhookCallId`. */
  readonly logs: ReadonlyMap<string, AudataLog>;
}

/** A simulated station of Audata. */
export function audata({
  station = "developerfm",
  nesting = "brackets",
  ...calling
}: AudataOptions = {}): SimulatedAudata {
  const webhooks: NewWebhook[] = [];
  const logs = new Map<string, AudataLog>();
  return {
    logs,
    newWebhook(webhook) {
      if (!webhook.endpoint.startsWith("https://")) {
        throw new Error("Audata: the endpoint must begin with https://");
      }
      webhooks.push(webhook);
    },
    async change(record, action, sender) {
      const event = `${record}.${action}`;
      const lines: AudataLog[] = [];
      for (const { endpoint, method } of webhooks.filter((one) => one.event === event)) {
        const webhookCallId = randomUUID();
        const sentAt = inSydney(new Date());
        const content = { event, sentAt, station, sender_id: sender.id, sender, webhookCallId };
        const delivery =
          method === "POST"
            ? audataPost(endpoint, content)
            : audataGet(endpoint, queryOf(content, nesting));
        const line = { ...(await call(delivery, calling)), webhookCallId, event };
        logs.set(webhookCallId, line);
        lines.push(line);
      }
      return lines;
    },
  };
}

/** As the page's example has it: milliseconds, and an offset of eleven hours. */
function inSydney(instant: Date): string {
  const there = new Date(instant.getTime() + 11 * 3_600_000);
  return there.toISOString().replace("Z", "+11:00");
}

function queryOf(content: object, nesting: "brackets" | "dots" | "json"): string {
  const pairs = Object.entries(content).flatMap(([name, value]) =>
    nesting === "json" && typeof value === "object"
      ? [[name, JSON.stringify(value)] as const]
      : pairsOf(name, value, nesting),
  );
  const query = new URLSearchParams();
  for (const [name, value] of pairs) query.append(name, value);
  return query.toString();
}

function pairsOf(
  name: string,
  value: unknown,
  nesting: "brackets" | "dots" | "json",
): readonly (readonly [string, string])[] {
  if (value === null || value === undefined) return [[name, ""]];
  if (Array.isArray(value)) return value.flatMap((one) => pairsOf(`${name}[]`, one, nesting));
  if (typeof value !== "object") return [[name, `${value as string | number | boolean}`]];
  return Object.entries(value).flatMap(([field, one]) =>
    pairsOf(nesting === "dots" ? `${name}.${field}` : `${name}[${field}]`, one, nesting),
  );
}
