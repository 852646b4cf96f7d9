/**
 * The door for `node:http` and everything built on it.
 *
 * @module @webhook-inbox/core/node
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Answer, Door } from "../contracts/door.ts";
import { bodyOf, discard } from "./body.ts";

/** A request listener that is also middleware: `next` gets every request whose path is not the inbox's. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

const elsewhere: Answer = {
  status: 404,
  headers: { "content-type": "text/plain", connection: "close" },
  body: "not found",
};

/**
 * Receives deliveries for an inbox: `http.createServer(nodeHandler(inbox))`. Starts the inbox on the next turn of the
 * event loop. Never calls `next` with an error, and never throws.
 */
export function nodeHandler(inbox: Door): NodeHandler {
  inbox.mount();
  return (req, res, next) => {
    const head = {
      method: req.method ?? "",
      target: req.url ?? "",
      headers: req.httpVersionMajor < 2 ? req.rawHeaders : withoutPseudoHeaders(req.rawHeaders),
      remoteAddress: req.socket.remoteAddress,
    };
    const answering = inbox.receive(head, bodyOf(req));
    if (answering === undefined && next !== undefined) next();
    else void respond(req, res, answering ?? elsewhere);
  };
}

/** Never rejects: what middleware of others does to a response must not end the process. */
async function respond(
  req: IncomingMessage,
  res: ServerResponse,
  answering: Promise<Answer> | Answer,
): Promise<void> {
  try {
    await write(req, res, await answering);
  } catch {
    res.destroy();
  }
}

/** HTTP/2 has the path, and a token in it, among its headers. */
function withoutPseudoHeaders(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.startsWith(":") !== true);
}

async function write(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body }: Answer,
): Promise<void> {
  const { connection, ...others } = headers;
  if (connection !== undefined) await discard(req);
  if (res.headersSent || res.destroyed) return;
  // HTTP/2 knows no such header, and refuses it.
  const own = req.httpVersionMajor < 2 ? headers : others;
  res.writeHead(status, { ...own, "content-length": body.length });
  res.end(body);
}
