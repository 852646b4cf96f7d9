/**
 * SocialData (socialdata.tools). Facts on jobs are from its page "Using Webhooks"
 * (https://socialdata.gitbook.io/docs/twitter-x-async-endpoints/using-webhooks), those on monitors and signatures from
 * https://docs.socialdata.tools/monitoring/ (processing webhooks, verifying webhooks), unless another page is named. Both
 * come to the one URL of the account.
 */

import * as z from "zod";
import type { EventMap } from "../contracts/schema.ts";
import type { Poll } from "../contracts/poll.ts";
import type { Identity } from "../contracts/provider.ts";
import { WebhookInboxError } from "../errors.ts";
import { headerOf, type Delivery } from "../model/delivery.ts";
import { whenPresent } from "../verify/combine.ts";
import { hmac } from "../verify/hmac.ts";
import { fieldOf } from "../verify/signing.ts";
import { idText, instantOf, isRecord } from "./content.ts";
import { defineProvider, type SourceFactory, type SourceOptions } from "./define-provider.ts";
import { contentId, eventsIn, type Fields } from "./events.ts";
import { askStatus } from "./status.ts";

/** A number; text when it came as text. */
export type SocialDataJobId = number | string;

/**
 * Status of a job, as `GET /jobs/[job_id]` answers it (page "Getting job status"). Webhooks are sent for `success` and
 * `error` only.
 */
export type SocialDataJob =
  | {
      readonly job_id: SocialDataJobId;
      readonly status: "success";
      /** `datafile_url` may carry its own credential: treat it as a secret. */
      readonly result: { readonly datafile_url: string; readonly [key: string]: unknown };
      readonly [key: string]: unknown;
    }
  | {
      readonly job_id: SocialDataJobId;
      readonly status: "error";
      /** Why it failed, such as `Insufficient balance`. */
      readonly message?: string | null | undefined;
      readonly [key: string]: unknown;
    }
  | {
      readonly job_id: SocialDataJobId;
      readonly status: "pending" | "processing";
      readonly [key: string]: unknown;
    };

/** What a monitor saw. Numbers may be beyond 2^53 and lose their last digits: use the fields that end in `_str`. */
export interface SocialDataMonitorEvent<Data> {
  readonly data: Data;
  readonly meta?:
    | {
        readonly monitor_id?: string | null | undefined;
        /** Such as `user_tweets`, `user_following`, `user_profile`. */
        readonly monitor_type?: string | null | undefined;
        readonly monitored_id_str?: string | null | undefined;
        readonly [key: string]: unknown;
      }
    | null
    | undefined;
  readonly [key: string]: unknown;
}

/** A tweet, as monitors send it. Ids do not fit into numbers: use `id_str`. */
export interface SocialDataTweet {
  readonly id_str?: string | null | undefined;
  readonly tweet_created_at?: string | null | undefined;
  readonly full_text?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** A user, as monitors send it. */
export interface SocialDataUser {
  readonly id_str?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly screen_name?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** Event types of SocialData with their data. */
export type SocialDataEvents = {
  /** "At the moment there is only one event supported: job_finished", of the asynchronous jobs. */
  job_finished: SocialDataJob;
  new_tweet: SocialDataMonitorEvent<SocialDataTweet>;
  new_following: SocialDataMonitorEvent<SocialDataUser>;
  profile_update: SocialDataMonitorEvent<SocialDataUser>;
};

const jobId = z.union([z.number(), z.string()]);
const text = z.string().nullish();

const job: z.ZodType<SocialDataJob> = z.discriminatedUnion("status", [
  z.looseObject({
    job_id: jobId,
    status: z.literal("success"),
    result: z.looseObject({ datafile_url: z.string() }),
  }),
  z.looseObject({ job_id: jobId, status: z.literal("error"), message: text }),
  z.looseObject({ job_id: jobId, status: z.enum(["pending", "processing"]) }),
]);

function seen<Data>(data: z.ZodType<Data>): z.ZodType<SocialDataMonitorEvent<Data>> {
  return z.looseObject({
    data,
    meta: z
      .looseObject({
        monitor_id: z.string().nullish(),
        monitor_type: z.string().nullish(),
        monitored_id_str: z.string().nullish(),
      })
      .nullish(),
  });
}

const tweet: z.ZodType<SocialDataMonitorEvent<SocialDataTweet>> = seen(
  z.looseObject({ id_str: z.string().nullish(), tweet_created_at: text, full_text: text }),
);
const user: z.ZodType<SocialDataMonitorEvent<SocialDataUser>> = seen(
  z.looseObject({ id_str: z.string().nullish(), name: text, screen_name: text }),
);

/**
 * "X-Signature: v1=…", an HMAC over id, time and body. Its exact content is not in the page as it is stored publicly; this
 * is what a public consumer computes. While no secret is set at SocialData it signs with the literal `NULL`, as anybody
 * could: that is no secret here.
 */
const signature = hmac({
  algorithm: "sha256",
  encoding: "hex",
  header: "x-signature",
  prefix: "v1=",
  unset: "NULL",
  reads: ["x-timestamp", "x-event-id"],
  timestamp: { of: ({ header }) => header("x-timestamp"), unit: "s" },
  content: ({ header, body }) => [`${header("x-event-id")}.${header("x-timestamp")}.`, body],
});

const definition = {
  name: "socialdata",
  auth: ["token", "secret"],
  methods: ["POST"],
  habits: {
    // "At the moment we do not make repeated attempts to trigger failed webhook calls again."
    redelivers: "never",
    bodyStable: true,
  },
  events: { job_finished: job, new_tweet: tweet, new_following: user, profile_update: user },
  // All that a monitor sees is about people, and the URL of a file may carry its own credential.
  personal: [
    "*",
    "!event",
    "!data.job_id",
    "!data.status",
    "!meta.monitor_id",
    "!meta.monitor_type",
  ],
  ...eventsIn({
    type: (body) => (isJob(body) && !isRecord(body["data"]) ? undefined : body["event"]),
    id: idOf,
    occurredAt: ({ data }) => instantOf(fieldOf(data, "tweet_created_at")),
    data: (body) => (isJob(body) ? body["data"] : body),
  }),
} as const;

const isJob = ({ event }: Fields): boolean => event === "job_finished";

/** A job ends once; what a monitor saw has the id of its request where that is signed, else that of what it is about. */
function idOf(body: Fields, delivery: Delivery): Identity["id"] {
  const { data, meta, event } = body;
  if (isJob(body)) {
    const id = isRecord(data) ? idText(delivery, data, "job_id") : undefined;
    const status = fieldOf(data, "status");
    return id !== undefined && typeof status === "string" ? `job:${id}:${status}` : undefined;
  }
  if (!isRecord(meta)) return undefined;
  const isSigned = /\bsecret#/.test(delivery.verifiedWith);
  const eventId = isSigned ? headerOf(delivery.headers, "x-event-id") : undefined;
  if (eventId !== undefined) return eventId;
  const seenId = fieldOf(data, "id_str");
  return event === "profile_update" || typeof seenId !== "string"
    ? contentId(body)
    : `${String(event)}:${String(meta["monitor_id"])}:${seenId}`;
}

const checking = defineProvider<SocialDataEvents, "token" | "secret">({
  ...definition,
  signature: whenPresent(signature),
});
const demanding = defineProvider<SocialDataEvents, "token" | "secret">({
  ...definition,
  auth: ["secret", "token"],
  signature,
});

/** Options of a SocialData source, beside those of every source. */
export interface SocialDataOptions {
  /**
   * Refuses deliveries without a signature. Whether those of jobs carry one is not documented. Default: false, a signature
   * is checked where there is one, and a `token` is needed beside the `secret`.
   */
  readonly requireSignature?: boolean;
  /** Its API, for `inbox.expect`. */
  readonly api?: SocialDataApi;
}

/** Access to SocialData's API, for what was expected and did not come. */
export interface SocialDataApi {
  readonly apiKey: string | undefined;
  /** Default: `https://api.socialdata.tools`. */
  readonly baseUrl?: string;
}

/**
 * Page "Getting job status": `GET /jobs/[job_id]` with a bearer; 404 "no such job", 403 "belongs to another user". "The data
 * in each webhook request will be the same as" its answer. 120 requests a minute
 * (https://docs.socialdata.tools/getting-started/rate-limits).
 */
function pollOf(api: SocialDataApi): Poll {
  const { apiKey, baseUrl = "https://api.socialdata.tools" } = api;
  if (typeof apiKey !== "string" || apiKey === "") {
    throw new WebhookInboxError("CREDENTIAL_INVALID", "socialData: api.apiKey is not set.");
  }
  return {
    spacingMs: 500,
    ids: (ref) => ["success", "error"].map((status) => `job:${ref}:${status}`),
    async ask(ref, tools) {
      const url = `${baseUrl.replace(/\/+$/, "")}/jobs/${ref}`;
      const answer = await askStatus(
        { url, headers: { authorization: `Bearer ${apiKey}` } },
        tools,
      );
      if (answer.kind === "failed") return answer;
      const { status, json } = answer;
      if (status === 404) return { kind: "never", reason: "SocialData has no such job" };
      if (status === 403) return { kind: "never", reason: "the job belongs to another user" };
      const state = fieldOf(json, "status");
      if (state === "pending" || state === "processing") return { kind: "pending" };
      if (state !== "success" && state !== "error") {
        return { kind: "failed", reason: "its API answered no status that is known" };
      }
      return { kind: "ended", body: JSON.stringify({ event: "job_finished", data: json }) };
    },
  };
}

/** A source of SocialData: one webhook URL per account, for all jobs and monitors. */
export const socialData: SourceFactory<SocialDataEvents, "token" | "secret", SocialDataOptions> = <
  Own extends EventMap = {},
>(
  options: SourceOptions<"token" | "secret", Own, SocialDataEvents> & SocialDataOptions = {},
) => {
  const { requireSignature = false, api, ...rest } = options;
  const make = requireSignature ? demanding : checking;
  const source = make<Own>(rest);
  return api === undefined ? source : { ...source, poll: pollOf(api) };
};
