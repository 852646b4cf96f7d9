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
      headers: req.rawHeaders,
      remoteAddress: req.socket.remoteAddress,
    };
    const answering = inbox.receive(head, bodyOf(req));
    if (answering !== undefined) void answering.then((answer) => write(req, res, answer));
    else if (next !== undefined) next();
    else void write(req, res, elsewhere);
  };
}

async function write(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body }: Answer,
): Promise<void> {
  if ("connection" in headers) await discard(req);
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, { ...headers, "content-length": body.length });
  res.end(body);
}
