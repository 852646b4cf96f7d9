/**
 * SocialData as its pages "Using Webhooks" and "Getting job status" describe it, and its monitors as "Processing webhooks"
 * and "Verifying webhooks" do.
 */

import { jsonPost, type OutgoingDelivery } from "../senders/delivery.ts";
import { socialData as signed } from "../sign/signers.ts";
import { call, serveApi, type Api, type Call, type Calling } from "./loopback.ts";

export interface SocialDataOptions extends Calling {
  /** The key that its API asks for. Default: `test-key`. */
  readonly apiKey?: string;
  /**
   * Whether deliveries of jobs are signed too: those of monitors always are, with the literal `NULL` while no secret is
   * set. It is not documented. Default: false.
   */
  readonly signsJobs?: boolean;
  /** Of the first job; those that follow count from there. Default: 42. */
  readonly firstJobId?: number;
}

/** What a monitor saw. */
export interface MonitorEvent {
  readonly event: "new_tweet" | "new_following" | "profile_update";
  readonly data: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
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

/** How a job ends. */
export type JobEnd =
  | { readonly status: "success"; readonly datafileUrl?: string }
  | { readonly status: "error"; readonly message?: string };

/** The sending side of SocialData. */
export interface SimulatedSocialData extends Api {
  /** The page "Settings": its one field. From now on the webhook is enabled "for all jobs". */
  saveSettings(settings: { readonly webhookUrl: string | null }): void;
  /** "POST /user/webhook/secret": one for the account; a new one replaces it at once. */
  setSecret(secret: string | null): void;
  /** Starts a job, which is `pending`. */
  startJob(): number;
  /** The job is worked on: its status changes, and no webhook is sent. */
  processJob(jobId: number): void;
  /**
   * Ends a job: one POST to the webhook URL, never repeated ("we do not make repeated attempts"). Answers the call, or
   * undefined where no URL is set. Its outcome changes nothing: the job's status is at the API. A job ends once: throws for
   * one that has.
   */
  finishJob(jobId: number, end: JobEnd): Promise<Call | undefined>;
  /** A monitor of the account saw something: one POST, signed, never repeated. */
  monitorSaw(event: MonitorEvent): Promise<Call | undefined>;
  /** All calls so far. */
  readonly calls: readonly Call[];
}

/** A simulated SocialData with its API: `GET <url>/jobs/<id>` with `Authorization: Bearer <apiKey>`. */
export async function socialData({
  apiKey = "test-key",
  signsJobs = false,
  firstJobId = 42,
  ...calling
}: SocialDataOptions = {}): Promise<SimulatedSocialData> {
  const jobs = new Map<number, SimulatedJob>();
  const calls: Call[] = [];
  let webhookUrl: string | null = null;
  let key = "NULL";
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
  const openJob = (jobId: number): void => {
    const status = jobs.get(jobId)?.status;
    if (status === undefined) throw new Error(`there is no job ${jobId}`);
    if (status === "success" || status === "error") throw new Error(`job ${jobId} has ended`);
  };
  const notify = async (body: object, isSigned: boolean): Promise<Call | undefined> => {
    if (webhookUrl === null) return undefined;
    const delivery: OutgoingDelivery = isSigned
      ? signed({ url: webhookUrl, body, secret: key })
      : jsonPost(webhookUrl, body);
    const made = await call(delivery, calling);
    calls.push(made);
    return made;
  };
  return {
    ...api,
    calls,
    saveSettings(settings) {
      ({ webhookUrl } = settings);
    },
    setSecret(secret) {
      key = secret ?? "NULL";
    },
    startJob() {
      const jobId = firstJobId + jobs.size;
      jobs.set(jobId, { job_id: jobId, status: "pending" });
      return jobId;
    },
    processJob(jobId) {
      openJob(jobId);
      jobs.set(jobId, { job_id: jobId, status: "processing" });
    },
    async finishJob(jobId, end) {
      openJob(jobId);
      const job: SimulatedJob =
        end.status === "success"
          ? {
              job_id: jobId,
              status: "success",
              result: { datafile_url: end.datafileUrl ?? "https://s3.amazonaws.com/..." },
            }
          : { job_id: jobId, status: "error", message: end.message ?? "Insufficient balance" };
      jobs.set(jobId, job);
      return await notify({ event: "job_finished", data: job }, signsJobs);
    },
    monitorSaw: (event) => notify(event, true),
  };
}
