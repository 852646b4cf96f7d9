/** From the inbox to the queue: a handler that has succeeded once the queue has the job. */

import { WebhookInboxError, type Handler } from "@webhook-inbox/core";
import { refuseUnknown } from "@webhook-inbox/core/records";
import type { JobsOptions } from "bullmq";
import type { WebhookJob } from "./job.ts";

/** What is asked of a queue: BullMQ's `Queue` has it. */
export interface WebhookQueue {
  readonly name: string;
  add(name: string, data: WebhookJob, options: JobsOptions): Promise<unknown>;
}

/** How events become jobs. */
export interface EnqueueOptions {
  /**
   * `reference`: the job names the event, and a worker reads it from the inbox's store, parsed and validated anew. `value`: the
   * event travels with the job as JSON, so that workers need no store; what is no JSON in it, such as a `Date` that a schema
   * has made, becomes JSON. Default: `reference`.
   */
  readonly body?: "reference" | "value";
  /**
   * Attempts, backoff, priority and all else that BullMQ knows. Default: those of the queue; without any, BullMQ makes one attempt.
   */
  readonly job?: Omit<JobsOptions, "jobId" | "deduplication">;
  /** How long to wait for the queue to have the job. After it the event is handed over again later. Default: 10,000. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 10_000;

/**
 * A handler that hands each event to `queue`, as a job of the event's type. Its id is the handler's idempotency key: whatever is
 * killed on the way, and however often an event is handed over, there is one job for it, as long as the queue keeps jobs that have
 * ended (`removeOnComplete`, `removeOnFail`). Throws `OPTION_INVALID`.
 *
 * @example
 * inbox.on("shop", "order.created", enqueue(new Queue("orders", { connection }), { job: { attempts: 8 } }));
 */
export function enqueue(queue: WebhookQueue, options: EnqueueOptions = {}): Handler {
  const { body = "reference", job = {}, timeoutMs = timeoutMsDefault } = options;
  refuseUnknown("OPTION_INVALID", "enqueue", options, known);
  if (typeof queue?.add !== "function") {
    throw invalid("the first argument must be a queue, as new Queue(name, { connection }) is");
  }
  if (body !== "reference" && body !== "value")
    throw invalid('body must be "reference" or "value"');
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    throw invalid("timeoutMs must be a positive number of milliseconds");
  }
  if ("jobId" in job || "deduplication" in job) {
    throw invalid(
      "a job is known by the handler's idempotency key: jobId and deduplication cannot be set",
    );
  }
  return async (event, { idempotencyKey, signal }) => {
    const { key, source, type } = event;
    const data: WebhookJob = {
      key,
      source,
      type,
      idempotencyKey,
      ...(body === "value" ? { event } : {}),
    };
    const adding = queue.add(type, data, { ...job, jobId: idempotencyKey });
    const waiting = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const { id } = ((await unless(waiting, adding, queue.name)) ?? {}) as { readonly id?: unknown };
    if (id !== undefined && id !== idempotencyKey) {
      throw new Error(
        `the queue "${queue.name}" has taken the event for another job: its defaultJobOptions must not deduplicate`,
      );
    }
  };
}

const known = ["body", "job", "timeoutMs"];

function invalid(what: string): WebhookInboxError {
  return new WebhookInboxError(
    "OPTION_INVALID",
    `enqueue(queue, { body, job, timeoutMs }): ${what}.`,
  );
}

/** A client of Redis may wait for its server for ever. */
function unless(signal: AbortSignal, adding: Promise<unknown>, queue: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      const cause: unknown = signal.reason;
      const isLate = cause instanceof Error && cause.name === "TimeoutError";
      const what = `the queue "${queue}" did not take the job in time: its Redis may be away`;
      reject(isLate ? new Error(what, { cause }) : cause);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    adding.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
