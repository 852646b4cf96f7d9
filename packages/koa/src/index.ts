/**
 * The inbox in a Koa application (2 and 3): `app.use(webhooks(inbox))`.
 *
 * @module @webhook-inbox/koa
 */

import type { Inbox, Sources } from "@webhook-inbox/core";
import {
  inboxFrom,
  type DefaultSources,
  type DefaultTransaction,
  type WebhooksOptions,
} from "@webhook-inbox/core/defaults";
import {
  answerNode,
  partsOf,
  responseOf,
  type FetchHandler,
  type Leftovers,
} from "@webhook-inbox/core/node";
import type Koa from "koa";

/** Koa middleware that carries its inbox. */
export interface WebhooksMiddleware<Of extends Sources = Sources, Transaction = unknown>
  extends Koa.Middleware {
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
  inbox.mount();
  const receive: Koa.Middleware = async (ctx, next) => {
    const answering = answerNode(inbox, ctx.req, ctx.request as Leftovers, ctx.url);
    if (answering === undefined) {
      await next();
      return;
    }
    const { status, headers, body } = await answering;
    ctx.status = status;
    ctx.set({ ...headers });
    ctx.body = body;
  };
  return Object.assign(receive, { inbox });
}

/** Serves a fetch handler, such as the dashboard: `app.use(koaMount("/admin", mount(handler)))`. */
export function mount(handler: FetchHandler): Koa.Middleware {
  return async (ctx) => {
    const { req, res, originalUrl: original, url: below } = ctx;
    const left = ctx.request as Leftovers;
    const response = await responseOf(handler, { req, res, left, original, below });
    const { status, headers, cookies, body } = partsOf(response);
    ctx.status = status;
    ctx.set(headers);
    for (const cookie of cookies) ctx.append("set-cookie", cookie);
    // Koa 2 leaves the client waiting when a stream breaks off.
    body?.once("error", () => res.destroy());
    ctx.body = body ?? "";
  };
}
