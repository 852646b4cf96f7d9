/**
 * SocialData (socialdata.tools). Facts and the example are from its page "Using Webhooks"
 * (https://socialdata.gitbook.io/docs/twitter-x-async-endpoints/using-webhooks) unless another page is named.
 */

import * as z from "zod";
import type { Delivery } from "../model/delivery.ts";
import type { Identification } from "../contracts/provider.ts";
import { freshJson, idText, isRecord, readJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";

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
      readonly message?: string | undefined;
      readonly [key: string]: unknown;
    }
  | {
      readonly job_id: SocialDataJobId;
      readonly status: "pending" | "processing";
      readonly [key: string]: unknown;
    };

/** Event types of SocialData with their data. */
export type SocialDataEvents = {
  /** "At the moment there is only one event supported: job_finished". */
  job_finished: SocialDataJob;
};

const jobId = z.union([z.number(), z.string()]);

const job: z.ZodType<SocialDataJob> = z.discriminatedUnion("status", [
  z.looseObject({
    job_id: jobId,
    status: z.literal("success"),
    result: z.looseObject({ datafile_url: z.string() }),
  }),
  z.looseObject({ job_id: jobId, status: z.literal("error"), message: z.string().optional() }),
  z.looseObject({ job_id: jobId, status: z.enum(["pending", "processing"]) }),
]);

/** A source of SocialData: one webhook URL per account, for all jobs. */
export const socialData: SourceFactory<SocialDataEvents, "token"> = defineProvider({
  name: "socialdata",
  auth: ["token"],
  methods: ["POST"],
  habits: {
    // "At the moment we do not make repeated attempts to trigger failed webhook calls again."
    redelivers: "never",
    bodyStable: true,
  },
  events: { job_finished: job },
  identify,
  parse(delivery, { type }) {
    const body = freshJson(delivery);
    return type === "job_finished" && isRecord(body) ? body["data"] : body;
  },
});

function identify(delivery: Delivery): Identification {
  const body = readJson(delivery);
  if (!body.ok) return { kind: "unreadable", reason: body.reason };
  const type = isRecord(body.value) ? body.value["event"] : undefined;
  if (!isRecord(body.value) || typeof type !== "string" || type === "") {
    return { kind: "unreadable", reason: "unidentified" };
  }
  if (type !== "job_finished") return event(undefined, type);
  const data = body.value["data"];
  if (!isRecord(data)) return { kind: "unreadable", reason: "unidentified" };
  const id = idText(delivery, data, "job_id");
  const status = data["status"];
  return event(
    id !== undefined && typeof status === "string" ? `job:${id}:${status}` : undefined,
    type,
  );
}

function event(id: string | undefined, type: string): Identification {
  return { kind: "events", events: [{ id, type }] };
}
