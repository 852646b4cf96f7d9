/** What a job holds: which event it is about, and the event itself where it travels with the job. */

import type { WebhookEvent } from "@webhook-inbox/core";

/** What a job's data is: the event, and its body or where it is found. */
export interface WebhookJob {
  /** Key of the event in the inbox's store. */
  readonly key: string;
  readonly source: string;
  readonly type: string;
  /** That of the handler which handed it over: the job's id, too. */
  readonly idempotencyKey: string;
  /** The event as JSON, with `body: "value"`; without it, it is read from the inbox's store. */
  readonly event?: WebhookEvent;
}
