/** From the queue to the user's functions: what a BullMQ worker does with a job. */

import {
  isAnswer,
  type EventsOf,
  type Inbox,
  type Source,
  type Sources,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { DelayedError, UnrecoverableError, type Job, type Processor } from "bullmq";
import type { WebhookJob } from "./job.ts";

/** What a function gets beside the event. */
export interface JobContext {
  /** Aborted by `worker.cancelJob(id)`, and by nothing else: BullMQ does not abort where a lock is lost or a worker closes. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The same at every attempt: that of the handler which has handed the event over. */
  readonly idempotencyKey: string;
  /** BullMQ's own, for its progress and its log. */
  readonly job: Job<WebhookJob>;
}

/**
 * Returning is success, throwing is a failure that BullMQ tries again as the job's options say. `return dead(reason)` fails the job
 * for good, `return retry({ afterMs })` delays it without counting an attempt.
 */
export type JobHandler<Type extends string = string, Data = unknown> = (
  event: WebhookEvent<Type, Data>,
  ctx: JobContext,
) => unknown;

/** Functions by source and type, as `createInbox({ handlers })` takes them; `"*"` for the types that have none. */
export type JobHandlersOf<Of extends Sources> = {
  readonly [Name in keyof Of]?: JobHandlersOfSource<Of[Name]>;
};

type JobHandlersOfSource<Of extends Source> = {
  readonly [Type in keyof EventsOf<Of> & string]?: JobHandler<Type, EventsOf<Of>[Type]>;
} & { readonly "*"?: JobHandler };

/**
 * The processor of a worker: `new Worker("orders", processor(inbox, handlers), { connection })`. `inbox` has the sources and the store
 * of the one that has enqueued, and needs no `work`; where events travel with their jobs, say
 * `processor<typeof sources>(undefined, handlers)`. A job whose event has been erased or forgotten meanwhile fails for good; one that
 * has no function here, or cannot be read here, fails as any other: a worker of the next version may know it.
 */
export function processor<Of extends Sources, Transaction = unknown>(
  inbox: Inbox<Of, Transaction> | undefined,
  handlers: JobHandlersOf<Of>,
): Processor<WebhookJob, void> {
  return async (job, token, signal) => {
    const { key, source, type, idempotencyKey } = job.data;
    const run = functionFor(handlers, source, type);
    if (run === undefined) throw new Error(`no function for ${source}/${type} here`);
    const event = job.data.event ?? (await read(inbox, key));
    const answer = await run(event, {
      signal: signal ?? new AbortController().signal,
      attempt: job.attemptsMade + 1,
      idempotencyKey,
      job,
    });
    await follow(answer, job, token);
  };
}

function functionFor(handlers: object, source: string, type: string): JobHandler | undefined {
  const ofSource = own(handlers, source);
  if (typeof ofSource !== "object" || ofSource === null) return undefined;
  return (own(ofSource, type) ?? own(ofSource, "*")) as JobHandler | undefined;
}

/** Names are the sender's words: `constructor` is one of them. */
function own(of: object, name: string): unknown {
  return Object.hasOwn(of, name) ? (of as Readonly<Record<string, unknown>>)[name] : undefined;
}

async function read(inbox: Pick<Inbox, "read"> | undefined, key: string): Promise<WebhookEvent> {
  if (inbox === undefined) {
    throw new Error(
      'the job names its event, and there is no inbox to read it from: processor(inbox, handlers), or enqueue(queue, { body: "value" })',
    );
  }
  const event = await inbox.read(key);
  if (event !== undefined) return event;
  throw new UnrecoverableError(`the event ${key} is not there any more: erased, or forgotten`);
}

async function follow(answer: unknown, job: Job, token: string | undefined): Promise<void> {
  if (!isAnswer(answer)) return;
  if (answer.kind === "dead") throw new UnrecoverableError(answer.reason);
  await job.moveToDelayed(Date.now() + answer.afterMs, token);
  throw new DelayedError();
}
