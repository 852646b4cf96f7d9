/**
 * Captain Data, version 3, as its page "Create & Manage Webhooks" describes it. The body of Created, the answers of the
 * inputs and the retry endpoints, and the words of reasons are not documented: theirs are of this simulation.
 */

import { randomUUID } from "node:crypto";
import { captainDataDelivery } from "../senders/captain-data.ts";
import {
  call,
  serveApi,
  type Api,
  type ApiAnswer,
  type ApiRequest,
  type Call,
  type Calling,
} from "./loopback.ts";

export interface CaptainDataOptions extends Calling {
  /** Default: `test-key`. */
  readonly apiKey?: string;
  /** Default: `test-project`. */
  readonly projectUid?: string;
}

/** The three event types of Captain Data. */
export type CaptainDataEvent = "created" | "succeeded" | "failed";

/** "Add Webhook": one of three event types, a URL, and the custom headers. */
export interface NewWebhook {
  readonly event: CaptainDataEvent;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CaptainDataCall extends Call {
  readonly event: CaptainDataEvent;
  readonly jobUid: string;
}

/** What became of one input: nothing wrong, or why it failed. */
export interface SimulatedInput {
  readonly input: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** The sending side of Captain Data. */
export interface SimulatedCaptainData extends Api {
  addWebhook(webhook: NewWebhook): void;
  /** "Created: when a job starts and the first task launches." */
  startJob(job?: { readonly workflowName?: string; readonly jobName?: string }): Promise<string>;
  /** "Failed if all inputs fail. Succeeded if at least one input succeeds, even if others fail." */
  finishJob(jobUid: string, inputs: readonly SimulatedInput[]): Promise<void>;
  /** The Retry of a job's tab "Webhooks", or the Retry Webhook endpoint: its last webhook is sent again. */
  retryWebhook(jobUid: string): Promise<readonly CaptainDataCall[]>;
  /** All calls so far, oldest first. */
  readonly calls: readonly CaptainDataCall[];
}

interface Job {
  readonly uid: string;
  readonly workflowName: string;
  readonly jobName: string;
  status: "running" | "finished" | "warning";
  inputs: readonly SimulatedInput[];
}

const shortUid = (): string => randomUUID().replaceAll("-", "");

/** A simulated Captain Data, with its API below `<url>/v3`: jobs, their inputs, and the retry of a webhook. */
export async function captainData({
  apiKey = "test-key",
  projectUid = "test-project",
  ...calling
}: CaptainDataOptions = {}): Promise<SimulatedCaptainData> {
  const webhooks: (NewWebhook & { readonly uid: string })[] = [];
  const jobs = new Map<string, Job>();
  const calls: CaptainDataCall[] = [];
  const workflowUid = shortUid();

  const bodyOf = (uid: string, job: Job, event: CaptainDataEvent): object => ({
    uid,
    job_uid: job.uid,
    message: {
      created: "Job started.",
      succeeded: "Job successfully finished.",
      failed: "Job failed.",
    }[event],
    project_uid: projectUid,
    error: event === "failed" ? (job.inputs[0]?.error ?? "All inputs failed.") : null,
    recipe_ref: job.uid,
    workflow_uid: workflowUid,
    workflow_name: job.workflowName,
    job_name: job.jobName,
  });
  const notify = async (job: Job, event: CaptainDataEvent): Promise<readonly CaptainDataCall[]> => {
    const made: CaptainDataCall[] = [];
    for (const { uid, url, headers = {} } of webhooks.filter((one) => one.event === event)) {
      const delivery = captainDataDelivery(url, bodyOf(uid, job, event), headers);
      made.push({ ...(await call(delivery, calling)), event, jobUid: job.uid });
    }
    calls.push(...made);
    return made;
  };
  const notifyOf = (job: Job): Promise<readonly CaptainDataCall[]> => notify(job, eventOf(job));
  const jobOf = (uid: string): Job => {
    const job = jobs.get(uid);
    if (job === undefined) throw new Error(`there is no job ${uid}`);
    return job;
  };
  const account = { apiKey, projectUid, workflowUid, jobs, notify: notifyOf };
  const api = await serveApi((request) => answerOf(request, account));
  return {
    ...api,
    calls,
    addWebhook(webhook) {
      webhooks.push({ ...webhook, uid: shortUid() });
    },
    async startJob({ workflowName = "Extract LinkedIn Messages", jobName = "Automated Run" } = {}) {
      const job: Job = { uid: shortUid(), workflowName, jobName, status: "running", inputs: [] };
      jobs.set(job.uid, job);
      await notify(job, "created");
      return job.uid;
    },
    async finishJob(jobUid, inputs) {
      const job = jobOf(jobUid);
      if (inputs.length === 0) throw new Error("a job has at least one input");
      job.inputs = inputs;
      job.status = inputs.every(({ error }) => error !== undefined) ? "warning" : "finished";
      await notifyOf(job);
    },
    async retryWebhook(jobUid) {
      return await notifyOf(jobOf(jobUid));
    },
  };
}

function eventOf({ status }: Job): CaptainDataEvent {
  return ({ running: "created", finished: "succeeded", warning: "failed" } as const)[status];
}

interface Account {
  readonly apiKey: string;
  readonly projectUid: string;
  readonly workflowUid: string;
  readonly jobs: ReadonlyMap<string, Job>;
  /** Sends the webhook of what the job is now. */
  readonly notify: (job: Job) => Promise<unknown>;
}

async function answerOf(
  { method, path, headers }: ApiRequest,
  { apiKey, projectUid, workflowUid, jobs, notify }: Account,
): Promise<ApiAnswer> {
  const isKnown =
    headers["authorization"] === `x-api-key ${apiKey}` && headers["x-project-id"] === projectUid;
  if (!isKnown) return { status: 401, body: { message: "Unauthorized", status_code: 401 } };
  const [, jobUid, inputs] = /^\/v3\/jobs\/([^/?]+)(\/inputs)?$/.exec(path) ?? [];
  const [, retried] = /^\/v3\/webhooks\/([^/?]+)\/retry$/.exec(path) ?? [];
  const job = jobs.get(jobUid ?? retried ?? "");
  if (job === undefined) return { status: 404, body: { message: "Not found", status_code: 404 } };
  if (method === "POST" && retried !== undefined) {
    await notify(job);
    return { status: 200, body: { message: "Webhook retried." } };
  }
  if (method !== "GET") return { status: 405, body: { message: "Method not allowed" } };
  return inputs === undefined
    ? { status: 200, body: statusOf(job, workflowUid) }
    : { status: 200, body: { inputs: job.inputs.map(inputOf) } };
}

function statusOf(
  { uid, status, workflowName, jobName, inputs }: Job,
  workflowUid: string,
): object {
  return {
    uid,
    status,
    name: jobName,
    workflow_uid: workflowUid,
    workflow_name: workflowName,
    number_inputs: inputs.length,
    row_count: inputs.filter(({ error }) => error === undefined).length,
    error_message: status === "warning" ? (inputs[0]?.error ?? "") : null,
  };
}

function inputOf({ input, error }: SimulatedInput): object {
  return { input, status: error === undefined ? "succeeded" : "failed", error: error ?? null };
}
