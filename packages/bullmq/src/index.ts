/**
 * Webhooks on their way to a fleet of BullMQ workers: `enqueue(queue)` is a handler of the inbox that hands each event to a
 * queue, `processor(inbox, handlers)` what the queue's workers do with it.
 *
 * @module @webhook-inbox/bullmq
 */

export { enqueue, type EnqueueOptions, type WebhookQueue } from "./enqueue.ts";
export type { WebhookJob } from "./job.ts";
export { processor, type JobContext, type JobHandler, type JobHandlersOf } from "./processor.ts";
