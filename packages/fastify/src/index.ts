/**
 * The inbox in a Fastify application (5): `app.register(webhooks(inbox))`.
 *
 * @module @webhook-inbox/fastify
 */

import type { Inbox, Sources } from "@webhook-inbox/core";
import {
  inboxFrom,
  type DefaultSources,
  type DefaultTransaction,
  type WebhooksOptions,
} from "@webhook-inbox/core/defaults";
import { answerNode, partsOf, responseOf, type FetchHandler } from "@webhook-inbox/core/node";
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from "fastify";

/** A Fastify plugin that carries its inbox. */
export interface WebhooksPlugin<
  Of extends Sources = Sources,
  Transaction = unknown,
> extends FastifyPluginCallback {
  /** The inbox it receives for: to register handlers, to wait for `idle()`, to `close()`. */
  readonly inbox: Inbox<Of, Transaction>;
}

/**
 * Receives webhooks below `<prefix>/webhooks`. Takes an inbox, its options, or nothing: then the three providers, a SQLite
 * file in the working directory, and the environment's credentials. Answers before Fastify parses anything, and after the
 * `onRequest` hooks of its context. Closes the inbox with the application. Throws as `createInbox` does.
 *
 * @example
 * app.register(webhooks(inbox));
 */
export function webhooks<
  const Of extends Sources = DefaultSources,
  Transaction = DefaultTransaction,
>(
  given?: Inbox<Of, Transaction> | WebhooksOptions<Of, Transaction>,
): WebhooksPlugin<Of, Transaction> {
  const inbox = inboxFrom(given);
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    inbox.mount();
    app.addHook("onClose", () => inbox.close());
    answerAll(app, [`${inbox.path}/*`], async (request, reply, target) => {
      const answer = await answerNode(inbox, request.raw, request, target);
      if (answer === undefined) return reply.callNotFound();
      reply.code(answer.status).headers(answer.headers).send(answer.body);
    });
    done();
  };
  return Object.assign(plugin, { inbox });
}

/** Serves a fetch handler, such as the dashboard: `app.register(mount(handler), { prefix: "/admin" })`. */
export function mount(handler: FetchHandler): FastifyPluginCallback {
  return (app, _options, done) => {
    answerAll(app, ["/", "/*"], async (request, reply, below) => {
      const { raw: req, originalUrl: original } = request;
      const mounted = { req, res: reply.raw, left: request, original, below };
      const { status, headers, cookies, body } = partsOf(await responseOf(handler, mounted));
      reply.code(status).headers(headers);
      for (const cookie of cookies) reply.header("set-cookie", cookie);
      reply.send(body);
    });
    done();
  };
}

/** Path and query below the plugin's prefix, as on the request line. */
type Respond = (request: FastifyRequest, reply: FastifyReply, target: string) => Promise<void>;

/**
 * Answers whatever is asked below its paths, before a content type or a body is looked at. Fastify's own log lines quote
 * URLs, and so tokens: those of these routes quote the route.
 */
function answerAll(app: FastifyInstance, paths: readonly string[], respond: Respond): void {
  const depth = app.prefix.split("/").filter((segment) => segment !== "").length;
  for (const url of paths) {
    app.route({
      method: app.supportedMethods,
      url,
      logSerializers: { req: ({ method }: { readonly method: string }) => ({ method, url }) },
      async onRequest(request, reply) {
        await respond(request, reply, withoutPrefix(request.raw.url ?? "/", depth));
        return reply;
      },
      handler: (_request, reply) => reply.callNotFound(),
    });
  }
}

/** What is left of a URL without so many segments of its path: a prefix may have parameters. */
function withoutPrefix(url: string, depth: number): string {
  const [path = ""] = url.split("?", 1);
  let start = 0;
  for (let segment = 0; segment < depth && start !== -1; segment++) {
    start = path.indexOf("/", start + 1);
  }
  return start === -1 ? `/${url.slice(path.length)}` : url.slice(start);
}
