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

/** Where a request went: the URL that was asked for, and what is left of it below the mount point. */
export interface Targets {
  readonly original: string;
  readonly below: string;
}

/** A request as Express and its like hand it on. */
type Mounted = IncomingMessage & { readonly originalUrl?: string };

/**
 * Serves a fetch handler: `http.createServer(mountNode(handler))`, or as middleware of what is built on `node:http`. A
 * handler that throws is answered 500 without a word; so it says itself what went wrong, and to whom.
 */
export function mountNode(
  handler: FetchHandler,
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => void serve(handler, req, res);
}

async function serve(handler: FetchHandler, req: Mounted, res: ServerResponse): Promise<void> {
  try {
    const { url: below = "/", originalUrl: original = below } = req;
    const response = await responseOf(handler, req, req as Leftovers, { original, below });
    const { status, headers, body } = partsOf(response);
    res.writeHead(status, headers);
    if (body === undefined) res.end();
    else await pipeline(body, res);
  } catch {
    if (res.headersSent) res.destroy();
    else res.writeHead(500, { "content-length": 0 }).end();
  }
}

/**
 * What a handler answers to a Node request, for adapters that write it their own way; 400 where that is no request at
 * all. `left` is where the framework's body parsers leave what they make. Rejects when the handler does.
 */
export async function responseOf(
  handler: FetchHandler,
  req: IncomingMessage,
  left: Leftovers,
  targets: Targets,
): Promise<Response> {
  let request: Request;
  try {
    request = requestOf(req, left, targets.original);
  } catch {
    return new Response("bad request", { status: 400, headers: { connection: "close" } });
  }
  return await handler(request, { path: mountPathOf(targets) });
}

/** The part of a path that is before the mount point's own. */
function mountPathOf({ original, below }: Targets): string {
  const [whole = ""] = original.split("?", 1);
  const [rest = ""] = below.split("?", 1);
  if (whole.endsWith(rest)) return whole.slice(0, whole.length - rest.length);
  return rest === "/" ? whole : "";
}

/** Throws for a host or a method that no `Request` can have. */
function requestOf(req: IncomingMessage, left: Leftovers, target: string): Request {
  const scheme = "encrypted" in req.socket ? "https" : "http";
  const host = req.headers.host ?? req.headers[":authority"] ?? "localhost";
  const headers = new Headers();
  for (let line = 0; line + 1 < req.rawHeaders.length; line += 2) {
    const [name = "", value = ""] = req.rawHeaders.slice(line, line + 2);
    if (!name.startsWith(":")) headers.append(name, value);
  }
  const { method = "GET" } = req;
  if (!target.startsWith("/")) throw new TypeError("no path");
  const url = new URL(`${scheme}://${String(host)}`).origin + target;
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers });
  const isUnread = !req.readableDidRead && !req.readableEnded;
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded");
  const body = isUnread ? (Readable.toWeb(req) as ReadableStream) : leftOf(left, isForm === true);
  return new Request(url, { method, headers, body, duplex: "half" });
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

/** The parts of a response, for whoever writes it. */
export function partsOf({ status, headers, body }: Response): {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Readable | undefined;
} {
  const cookies = headers.getSetCookie();
  return {
    status,
    headers: {
      ...Object.fromEntries(headers),
      ...(cookies.length > 0 ? { "set-cookie": cookies } : {}),
    },
    body: body === null ? undefined : Readable.fromWeb(body as never),
  };
}
