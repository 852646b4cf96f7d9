/** SocialData as its pages "Using Webhooks" and "Getting job status" describe it. */

import { jsonPost } from "../senders/delivery.ts";
import { call, serveApi, type Api, type Call, type Tunnel } from "./loopback.ts";

export interface SocialDataOptions {
  /** The key that its API asks for. Default: `test-key`. */
  readonly apiKey?: string;
  readonly tunnel?: Tunnel;
}

/** A job, as its status is answered and sent. */
export type SimulatedJob =
  | { readonly job_id: number; readonly status: "pending" | "processing" }
  | {
      readonly job_id: number;
      readonly status: "success";
      readonly result: { readonly datafile_url: string };
    }
  | { readonly job_id: number; readonly status: "error"; readonly message: string };

export type JobEnd =
  | { readonly status: "success"; readonly datafileUrl?: string }
  | { readonly status: "error"; readonly message?: string };

export interface SimulatedSocialData extends Api {
  /** The page "Settings": its one field. From now on the webhook is enabled "for all jobs". */
  saveSettings(settings: { readonly webhookUrl: string | null }): void;
  /** Starts a job, which is `pending`. */
  startJob(): number;
  /** The job is worked on: its status changes, and no webhook is sent. */
  processJob(jobId: number): void;
  /**
   * Ends a job: one POST to the webhook URL, never repeated ("we do not make repeated attempts"). Answers the call, or
   * undefined where no URL is set. Its outcome changes nothing: the job's status is at the API.
   */
  finishJob(jobId: number, end: JobEnd): Promise<Call | undefined>;
  /** All calls so far. */
  readonly calls: readonly Call[];
}

/** A simulated SocialData with its API: `GET <url>/jobs/<id>` with `Authorization: Bearer <apiKey>`. */
export async function socialData({
  apiKey = "test-key",
  tunnel = (url) => url,
}: SocialDataOptions = {}): Promise<SimulatedSocialData> {
  const jobs = new Map<number, SimulatedJob>();
  const calls: Call[] = [];
  let webhookUrl: string | null = null;
  const api = await serveApi(({ method, path, headers }) => {
    if (headers.authorization !== `Bearer ${apiKey}`) {
      return { status: 401, body: { status: "error", message: "Unauthenticated" } };
    }
    const id = /^\/jobs\/(\d+)$/.exec(path)?.[1];
    const job = method === "GET" && id !== undefined ? jobs.get(Number(id)) : undefined;
    return job === undefined
      ? { status: 404, body: { status: "error", message: "Not found" } }
      : { status: 200, body: job };
  });
  const existing = (jobId: number): void => {
    if (!jobs.has(jobId)) throw new Error(`there is no job ${jobId}`);
  };
  return {
    ...api,
    calls,
    saveSettings(settings) {
      ({ webhookUrl } = settings);
    },
    startJob() {
      const jobId = 42 + jobs.size;
      jobs.set(jobId, { job_id: jobId, status: "pending" });
      return jobId;
    },
    processJob(jobId) {
      existing(jobId);
      jobs.set(jobId, { job_id: jobId, status: "processing" });
    },
    async finishJob(jobId, end) {
      existing(jobId);
      const job: SimulatedJob =
        end.status === "success"
          ? {
              job_id: jobId,
              status: "success",
              result: { datafile_url: end.datafileUrl ?? "https://s3.amazonaws.com/..." },
            }
          : { job_id: jobId, status: "error", message: end.message ?? "Insufficient balance" };
      jobs.set(jobId, job);
      if (webhookUrl === null) return undefined;
      const made = await call(jsonPost(webhookUrl, { event: "job_finished", data: job }), tunnel);
      calls.push(made);
      return made;
    },
  };
}
