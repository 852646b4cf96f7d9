/** Fetch handlers of others, such as the dashboard, behind `node:http`: requests are made into `Request`, and back. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Leftovers } from "./body.ts";

/**
 * Answers a request. Its URL is the one that was asked for; `path` is the part of it that belongs to the mount point, such
 * as `/admin`, and empty at the root.
 */
export type FetchHandler = (
  request: Request,
  at: { readonly path: string },
) => Response | Promise<Response>;

/** A request on its way through a framework. */
export interface Mounted {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Where body parsers leave what they make. */
  readonly left: Leftovers;
  /** Path and query that were asked for, and what is left of them below the mount point. */
  readonly original: string;
  readonly below: string;
}

/** A request as Express and its like hand it on. */
type NodeRequest = IncomingMessage & { readonly originalUrl?: string };

/**
 * Serves a fetch handler: `http.createServer(mountNode(handler))`, or as middleware of what is built on `node:http`. A
 * handler that throws is answered 500 without a word; so it says itself what went wrong, and to whom.
 */
export function mountNode(
  handler: FetchHandler,
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => void serve(handler, req, res);
}

async function serve(handler: FetchHandler, req: NodeRequest, res: ServerResponse): Promise<void> {
  const { url: below = "/", originalUrl: original = below } = req;
  const left = req as Leftovers;
  try {
    const response = await responseOf(handler, { req, res, left, original, below });
    const { status, headers, cookies, body } = partsOf(response);
    for (const cookie of cookies) res.appendHeader("set-cookie", cookie);
    res.writeHead(status, headers);
    if (body === undefined) res.end();
    else await pipeline(body, res);
  } catch {
    res.destroy();
  }
}

/**
 * What a handler answers to a Node request, for adapters that write it their own way: 500 when it throws, and 400 to what
 * is no request at all. Never rejects.
 */
export async function responseOf(handler: FetchHandler, mounted: Mounted): Promise<Response> {
  const { req } = mounted;
  let request: Request;
  try {
    request = requestOf(mounted);
  } catch {
    return new Response("bad request", { status: 400, headers: { connection: "close" } });
  }
  try {
    const response = await handler(request, { path: mountPathOf(mounted) });
    if (req.method !== "HEAD") return response;
    await response.body?.cancel();
    return new Response(null, response);
  } catch {
    return new Response(null, { status: 500 });
  }
}

/** The part of a path that is before the mount point's own. */
function mountPathOf({ original, below }: Mounted): string {
  const [whole = ""] = original.split("?", 1);
  const [rest = ""] = below.split("?", 1);
  if (whole.endsWith(rest)) return whole.slice(0, whole.length - rest.length);
  return rest === "/" ? whole : "";
}

/** Segments that a URL's parser would resolve: the path would be another one than was asked for. */
const dotSegment = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i;

/** Throws for a host, a path or a method that no `Request` can have. */
function requestOf({ req, res, left, original }: Mounted): Request {
  if (!original.startsWith("/") || dotSegment.test(original)) throw new TypeError("no path");
  const scheme = "encrypted" in req.socket ? "https" : "http";
  const host = req.headers.host ?? req.headers[":authority"] ?? "localhost";
  const headers = new Headers();
  for (let line = 0; line + 1 < req.rawHeaders.length; line += 2) {
    const [name = "", value = ""] = req.rawHeaders.slice(line, line + 2);
    if (!name.startsWith(":")) headers.append(name, value);
  }
  const url = new URL(`${scheme}://${String(host)}`).origin + original;
  const { method = "GET" } = req;
  const gone = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) gone.abort(new Error("the client has left"));
    // What the handler did not read of a body would block the next request on its connection.
    req.resume();
  });
  const init = { method, headers, signal: gone.signal };
  if (method === "GET" || method === "HEAD") return new Request(url, init);
  if (!req.readableDidRead && !req.readableEnded) {
    return new Request(url, { ...init, body: streamOf(req), duplex: "half" });
  }
  const isForm = /^application\/x-www-form-urlencoded/i.test(headers.get("content-type") ?? "");
  headers.delete("content-length");
  return new Request(url, { ...init, body: leftOf(left, isForm) });
}

/** A body that is not touched before it is read: one that nobody reads is left to Node. */
function streamOf(req: IncomingMessage): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Buffer> | undefined;
  return new ReadableStream(
    {
      async pull(controller) {
        chunks ??= req.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks?.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A body that was read before us, as its parser left it: the bytes, or what was made of a form or of JSON. */
function leftOf(
  { rawBody, body }: Leftovers,
  isForm: boolean,
): Uint8Array<ArrayBuffer> | string | null {
  for (const kept of [rawBody, body]) {
    if (kept instanceof Uint8Array) return new Uint8Array(kept);
    if (typeof kept === "string") return kept;
  }
  if (!isForm) return body === undefined ? null : JSON.stringify(body);
  const fields = new URLSearchParams();
  for (const [name, values] of Object.entries(body ?? {})) {
    for (const value of [values].flat()) fields.append(name, String(value));
  }
  return fields.toString();
}

/** The parts of a response, for whoever writes it. Cookies are apart: they stand beside those of others. */
export function partsOf({ status, headers, body }: Response): {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly cookies: readonly string[];
  readonly body: Readable | undefined;
} {
  const { "set-cookie": _, ...others } = Object.fromEntries(headers);
  return {
    status,
    headers: others,
    cookies: headers.getSetCookie(),
    body: body === null ? undefined : Readable.fromWeb(body as never),
  };
}
