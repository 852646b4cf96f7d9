/**
 * The inbox in an Express application (4 and 5): `app.use(webhooks(inbox))`.
 *
 * @module @webhook-inbox/express
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Inbox, Sources } from "@webhook-inbox/core";
import {
  inboxFrom,
  type DefaultSources,
  type DefaultTransaction,
  type WebhooksOptions,
} from "@webhook-inbox/core/defaults";
import { nodeHandler } from "@webhook-inbox/core/node";

/** Serves a fetch handler, such as the dashboard: `app.use("/admin", mount(handler))`. */
export { mountNode as mount } from "@webhook-inbox/core/node";

/** Express middleware that carries its inbox. */
export interface WebhooksMiddleware<Of extends Sources = Sources, Transaction = unknown> {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void;
  /** The inbox it receives for: to register handlers, to wait for `idle()`, to `close()`. */
  readonly inbox: Inbox<Of, Transaction>;
}

/**
 * Receives webhooks below `<mount point>/webhooks` and leaves every other request to `next()`. Takes an inbox, its
 * options, or nothing: then the three providers, a SQLite file in the working directory, and the environment's
 * credentials. Mount it before body parsers. Throws as `createInbox` does.
 *
 * @example
 * app.use(webhooks(inbox));
 */
export function webhooks<
  const Of extends Sources = DefaultSources,
  Transaction = DefaultTransaction,
>(
  given?: Inbox<Of, Transaction> | WebhooksOptions<Of, Transaction>,
): WebhooksMiddleware<Of, Transaction> {
  const inbox = inboxFrom(given);
  return Object.assign(nodeHandler(inbox), { inbox });
}
