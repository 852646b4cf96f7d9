/**
 * Captain Data (captaindata.co), API version 3. Facts are from its page "Create & Manage Webhooks"
 * (https://captaindata.mintlify.app/v3/webhooks/create-manage) unless another page is named. Its body names no event
 * type; see `typeOf` for how it is found.
 */

import * as z from "zod";
import type { EventMap } from "../contracts/schema.ts";
import type { Identification } from "../contracts/provider.ts";
import { headerOf, type Delivery } from "../model/delivery.ts";
import type { Note } from "../model/event.ts";
import { captainDataPoll, type CaptainDataApiOptions } from "./captain-data-api.ts";
import { freshJson, idText, isRecord, readJson } from "./content.ts";
import { defineProvider, type SourceFactory, type SourceOptions } from "./define-provider.ts";

export {
  captainDataApi,
  retryAdvice,
  type CaptainDataApi,
  type CaptainDataApiOptions,
  type RetryAdvice,
} from "./captain-data-api.ts";

/** Body of a webhook. Only `job_uid` can be counted on; the page "Add a webhook" of the help centre explains the fields. */
export interface CaptainDataJob {
  /** The run: the key for every call to Captain Data's API. */
  readonly job_uid: string;
  /** "The webhook UID". */
  readonly uid?: string | null | undefined;
  /** "Default message based on failure or success." */
  readonly message?: string | null | undefined;
  /** Null or absent on success. */
  readonly error?:
    | string
    | Readonly<Record<string, unknown>>
    | readonly unknown[]
    | boolean
    | null
    | undefined;
  readonly project_uid?: string | null | undefined;
  readonly recipe_ref?: string | null | undefined;
  readonly job_ref?: string | null | undefined;
  readonly workflow_uid?: string | null | undefined;
  readonly workflow_name?: string | null | undefined;
  readonly job_name?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** Event types of Captain Data with their data. The names are ours: it calls them Created, Succeeded and Failed. */
export type CaptainDataEvents = {
  /** "Triggered when a job starts and the first task launches." */
  "job.created": CaptainDataJob;
  /** "Triggered if at least one input succeeds, even if others fail." The note `partial_success` marks what shows it. */
  "job.succeeded": CaptainDataJob;
  /** "Triggered if all inputs fail." */
  "job.failed": CaptainDataJob;
  /** A body whose type cannot be told, such as a callback of API version 4. */
  "job.unknown": Readonly<Record<string, unknown>>;
};

type JobEvent = "created" | "succeeded" | "failed";
const jobEvents: readonly JobEvent[] = ["created", "succeeded", "failed"];

/** Uids are texts in all examples; numbers are read as such. */
const uid = z.union([z.string(), z.number().transform(String)]);
const text = uid.nullish();

const job: z.ZodType<CaptainDataJob> = z.looseObject({
  job_uid: uid,
  uid: text,
  message: text,
  error: z.union([z.string(), z.looseObject({}), z.array(z.unknown()), z.boolean()]).nullish(),
  project_uid: text,
  recipe_ref: text,
  job_ref: text,
  workflow_uid: text,
  workflow_name: text,
  job_name: text,
});

const define = defineProvider<CaptainDataEvents, CaptainDataAuth>({
  name: "captain-data",
  auth: ["bearer", "headers", "basic", "token"],
  methods: ["POST"],
  segments: jobEvents,
  // Messages may quote profiles and addresses; names may be those of people and campaigns.
  personal: [
    "*",
    "!uid",
    "!job_uid",
    "!recipe_ref",
    "!job_ref",
    "!workflow_uid",
    "!run.run_uid",
    "!run.status",
  ],
  habits: {
    // "To retry a webhook, use the Retry Webhook endpoint" or its window: by hand. Automatic retries are not documented.
    redelivers: "manual",
    bodyStable: true,
  },
  events: {
    "job.created": job,
    "job.succeeded": job,
    "job.failed": job,
    "job.unknown": z.looseObject({}),
  },
  identify,
  parse: (delivery) => freshJson(delivery),
});

type CaptainDataAuth = "bearer" | "headers" | "basic" | "token";

/** Options of a Captain Data source, beside those of every source. */
export interface CaptainDataOptions {
  /** Its API, for `inbox.expect`. */
  readonly api?: CaptainDataApiOptions;
}

/**
 * A source of Captain Data. It proves itself by the custom headers set in its webhook window: a bearer token, basic
 * credentials, or headers of any name. Set up each of its three webhooks with its own URL
 * (`…/created`, `…/succeeded`, `…/failed`) or its own `X-Webhook-Event` header, so that the type is certain.
 */
export const captainData: SourceFactory<CaptainDataEvents, CaptainDataAuth, CaptainDataOptions> = <
  Own extends EventMap = {},
>(
  options: SourceOptions<CaptainDataAuth, Own, CaptainDataEvents> & CaptainDataOptions = {},
) => {
  const { api, ...rest } = options;
  const source = define<Own>(rest);
  return api === undefined ? source : { ...source, poll: captainDataPoll(api) };
};

function identify(delivery: Delivery): Identification {
  const body = readJson(delivery);
  if (!body.ok) return { kind: "unreadable", reason: body.reason };
  if (!isRecord(body.value)) return { kind: "unreadable", reason: "unidentified" };
  const jobUid = idText(delivery, body.value, "job_uid");
  if (jobUid === undefined) {
    // Version 4 calls back with `{ run: { run_uid, … } }`, many times and with the same status: known by content alone.
    return isRecord(body.value["run"])
      ? { kind: "events", events: [{ id: undefined, type: "job.unknown" }] }
      : { kind: "unreadable", reason: "unidentified" };
  }
  const { type, notes } = typeOf(delivery, body.value);
  // A job may be spoken of many times in ways that are not known yet: those are told apart by content.
  const id = type === "unknown" ? undefined : `${jobUid}:${type}`;
  return { kind: "events", events: [{ id, type: `job.${type}`, notes }] };
}

/**
 * A webhook of Captain Data has one event type, so what its owner wired (URL or header) is certain. Otherwise the two
 * known messages, then `error`, then words of the message tell; last, `unknown`.
 */
function typeOf(
  delivery: Delivery,
  body: Readonly<Record<string, unknown>>,
): { readonly type: JobEvent | "unknown"; readonly notes: readonly Note[] } {
  const header = headerOf(delivery.headers, "x-webhook-event")?.trim().toLowerCase();
  const wired = jobEvents.find((event) => event === (delivery.segment ?? header));
  const hasError = !isBlank(body["error"]);
  const named = ["event", "type", "status"].map((name) => typeOfName(body[name])).find(Boolean);
  const said = named ?? typeOfMessage(body["message"]) ?? (hasError ? "failed" : undefined);
  const type = wired ?? said ?? typeOfWords(body["message"]) ?? "unknown";
  const notes: Note[] = [];
  if (type === "succeeded" && hasError) notes.push("partial_success");
  if (wired !== undefined && said !== undefined && wired !== said) notes.push("type_disagreement");
  return { type, notes };
}

/** No key of the body names its event; if one ever does, it counts. */
function typeOfName(value: unknown): JobEvent | undefined {
  return jobEvents.find((event) => value === event || value === `job.${event}`);
}

function typeOfMessage(message: unknown): JobEvent | undefined {
  if (message === "Job successfully finished.") return "succeeded";
  return message === "Job failed." ? "failed" : undefined;
}

function typeOfWords(message: unknown): JobEvent | undefined {
  if (typeof message !== "string") return undefined;
  if (/fail|error/i.test(message)) return "failed";
  if (/success|finish|complet/i.test(message)) return "succeeded";
  return /creat|start|launch/i.test(message) ? "created" : undefined;
}

const isBlank = (value: unknown): boolean =>
  [undefined, null, "", false].includes(value as null) ||
  (Array.isArray(value) && value.length === 0);
