/**
 * The part of Captain Data's API that its webhooks need. Facts are from its page "Create & Manage Webhooks", which names
 * the inputs endpoint; the path of the Retry Webhook endpoint is from a public list of its endpoints (polymetrics-ai/cli,
 * connectors/defs/captain-data/api_surface.json), and neither answer is documented.
 */

import type { Poll } from "../contracts/poll.ts";
import { WebhookInboxError } from "../errors.ts";
import { fieldOf } from "../verify/signing.ts";
import { isRecord } from "./content.ts";
import type { Fields } from "./events.ts";
import { askStatus, textOf } from "./status.ts";

/** Access to Captain Data's API. */
export interface CaptainDataApiOptions {
  readonly apiKey: string;
  /** The project (workspace) uid. */
  readonly projectUid: string;
  /** Default: `https://api.captaindata.co/v3`. */
  readonly baseUrl?: string;
  /** Default: `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * What to do about a failed input, by its reason: `retry` (a temporary trouble, such as a time-out), `after_fix` (retry
 * once the account's cookie or login is put right), `never` (404, or an incorrect input), `unknown` (not told by the page).
 */
export type RetryAdvice = "retry" | "after_fix" | "never" | "unknown";

/** What of Captain Data's API concerns webhooks. */
export interface CaptainDataApi {
  /**
   * Has the webhook of a job sent again, for one that was missed. Answers what the API answers; its shape is not documented.
   * Rejects with `PROVIDER_FAILED`.
   */
  retryWebhook(jobUid: string): Promise<unknown>;
  /** The inputs of a job ("Get a Run's Inputs"), to see which of them failed. Rejects with `PROVIDER_FAILED`. */
  inputs(jobUid: string): Promise<readonly Fields[]>;
}

const baseUrlDefault = "https://api.captaindata.co/v3";
const timeoutMs = 10_000;
const answerBytesMax = 16 * 1024 * 1024;
const jobUidPattern = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * Calls Captain Data's API.
 *
 * @example
 * const api = captainDataApi({ apiKey, projectUid });
 * const again = (await api.inputs(jobUid)).filter((input) => retryAdvice(input) === "retry");
 */
export function captainDataApi(options: CaptainDataApiOptions): CaptainDataApi {
  const { fetch = globalThis.fetch } = options;
  const { baseUrl, headers } = accessOf(options);
  const ask = async (method: string, path: string): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(`${baseUrl}${path}`, {
        method,
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
        headers: { ...headers, accept: "application/json" },
      });
    } catch (cause) {
      throw failed(method, path, "did not answer", cause);
    }
    const text = await textOf(response, answerBytesMax).catch((cause: unknown) => {
      throw failed(method, path, "did not end its answer, or it is too large", cause);
    });
    if (!response.ok) throw failed(method, path, `answered ${response.status}`);
    try {
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    } catch (cause) {
      throw failed(method, path, "answered no JSON", cause);
    }
  };
  return {
    retryWebhook: async (jobUid) => await ask("POST", `/webhooks/${checked(jobUid)}/retry`),
    async inputs(jobUid) {
      const path = `/jobs/${checked(jobUid)}/inputs`;
      const answer = await ask("GET", path);
      const list = listIn(answer);
      if (list === undefined) throw failed("GET", path, "answered no list of inputs");
      return list;
    },
  };
}

/** The list, or the list that is in one of the usual places of an answer. */
function listIn(answer: unknown): readonly Fields[] | undefined {
  const places = isRecord(answer)
    ? [answer["inputs"], answer["data"], answer["results"]]
    : [answer];
  return places.find((place) => Array.isArray(place) && place.every(isRecord)) as
    | readonly Fields[]
    | undefined;
}

/** Where to ask, and as whom. */
function accessOf({ apiKey, projectUid, baseUrl = baseUrlDefault }: CaptainDataApiOptions): {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
} {
  for (const [name, value] of Object.entries({ apiKey, projectUid })) {
    if (typeof value === "string" && value !== "") continue;
    throw new WebhookInboxError("CREDENTIAL_INVALID", `Captain Data's API: ${name} is not set.`);
  }
  const headers = { authorization: `x-api-key ${apiKey}`, "x-project-id": projectUid };
  return { baseUrl: baseUrl.replace(/\/+$/, ""), headers };
}

/**
 * `GET /v3/jobs/{job_uid}`. Statuses are from docs.captaindata.com/v3/runs/manage-status: `finished` is "success webhook has
 * been triggered", `warning` and `shutdown` are "check your failed webhook"; of `stopped` no webhook is documented. The
 * guide on polling (docs, "Polling data") asks every 30 seconds.
 */
export function captainDataPoll(options: CaptainDataApiOptions): Poll {
  const { baseUrl, headers } = accessOf(options);
  return {
    spacingMs: 500,
    ids: (ref) => ["succeeded", "failed"].map((event) => `${ref}:${event}`),
    async ask(ref, { fetch, signal }) {
      const tools = { fetch: options.fetch ?? fetch, signal };
      const answer = await askStatus({ url: `${baseUrl}/jobs/${ref}`, headers }, tools);
      if (answer.kind === "failed") return answer;
      const { status, json } = answer;
      const state = fieldOf(json, "status");
      if (status !== 200 || typeof state !== "string") {
        return { kind: "failed", reason: `its API answered ${status} without a status` };
      }
      const ended = {
        finished: "succeeded",
        completed: "succeeded",
        warning: "failed",
        shutdown: "failed",
      };
      if (Object.hasOwn(ended, state)) {
        const segment = ended[state as keyof typeof ended];
        return { kind: "ended", segment, body: JSON.stringify(webhookOf(ref, json)) };
      }
      return state === "stopped"
        ? { kind: "never", reason: "the job was stopped, of which no webhook is sent" }
        : { kind: "pending" };
    },
  };
}

/** What of a job's status a webhook says too, under its names. */
function webhookOf(jobUid: string, job: unknown): Fields {
  return {
    job_uid: jobUid,
    error: fieldOf(job, "error_message") ?? null,
    workflow_uid: fieldOf(job, "workflow_uid") ?? null,
    workflow_name: fieldOf(job, "workflow_name") ?? null,
    job_name: fieldOf(job, "name") ?? null,
  };
}

function checked(jobUid: string): string {
  if (typeof jobUid === "string" && jobUidPattern.test(jobUid)) return jobUid;
  throw new WebhookInboxError(
    "OPTION_INVALID",
    "captainDataApi: a job_uid is letters, digits, - and _.",
  );
}

function failed(method: string, path: string, what: string, cause?: unknown): WebhookInboxError {
  return new WebhookInboxError("PROVIDER_FAILED", `Captain Data, ${method} ${path}: ${what}.`, {
    cause,
  });
}

/**
 * Whether a failed input, or the error of a failed job, is worth a retry. "Do not retry: 404 errors or incorrect inputs.
 * Retry possible: temporary issues such as API timeouts or invalid session cookies." The texts of errors are not
 * documented, so words are looked for in what stands under `error`, `reason`, `message` and the like, never in the input's own
 * content; what holds none of them is `unknown`.
 */
export function retryAdvice(input: unknown): RetryAdvice {
  const words = reasonsIn(input, 0).join(" | ");
  return advices.find(([, pattern]) => pattern.test(words))?.[0] ?? "unknown";
}

/** In this order: an invalid cookie is no invalid input, and a time-out of a profile that was not found a time-out. */
const advices: readonly (readonly [RetryAdvice, RegExp])[] = [
  [
    "after_fix",
    /\bcookies?\b|\bsessions?\b|unauthori[sz]ed|authenticat|\blog(?:ged)?[ _-]?(?:in|out)\b|\b401\b|reconnect/i,
  ],
  [
    "retry",
    /\btime[ds]?[ _-]?out|temporar|rate[ _-]?limit|too many requests|service unavailable|internal server error|bad gateway|ECONN|(?:^|\b(?:status|code|http|error)\W{0,3})(?:429|5\d\d)\b|\b5\d\d (?:error|service|internal|bad)/i,
  ],
  [
    "never",
    /\b404\b|not[ _-]?found|inaccessible|\b400\b|bad request|(?:incorrect|invalid|malformed|improper\w*|wrong)\b[^|]{0,40}\b(?:inputs?|urls?|formats?)\b|\b(?:inputs?|urls?|formats?)\b[^|]{0,40}\b(?:incorrect|invalid|malformed|improper\w*|wrong)\b/i,
  ],
];

const reasonPattern = /^(?:errors?|error_\w+|reason|message|status_code|code)$/i;
const depthMax = 4;

/** Texts of a reason: the value itself, or what stands under the names of reasons, at any depth below the first. */
function reasonsIn(value: unknown, depth: number): readonly string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  if (depth > depthMax || typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => reasonsIn(one, depth + 1));
  if (!hasFailed(value)) return [];
  return Object.entries(value).flatMap(([name, one]) =>
    reasonPattern.test(name) ? reasonsIn(one, depth + 1) : [],
  );
}

/** One that says it has succeeded has no reason, whatever its message quotes. */
function hasFailed(input: object): boolean {
  const status: unknown = "status" in input ? input.status : undefined;
  return (
    typeof status !== "string" ||
    !/^(?:success|succeeded|finished|completed|done|ok)$/i.test(status)
  );
}
