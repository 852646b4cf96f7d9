/**
 * The door for `node:http` and everything built on it.
 *
 * @module @webhook-inbox/core/node
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Answer, Door } from "../contracts/door.ts";
import { bodyOf, discard, type Leftovers } from "./body.ts";
import { elsewhere } from "./elsewhere.ts";

export type { Leftovers } from "./body.ts";
export { mountNode, partsOf, responseOf, type FetchHandler, type Mounted } from "./mount.ts";

/** A request listener that is also middleware: `next` gets every request whose path is not the inbox's. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/**
 * Receives deliveries for an inbox: `http.createServer(nodeHandler(inbox))`. Starts the inbox on the next turn of the
 * event loop. Never calls `next` with an error, and never throws.
 */
export function nodeHandler(inbox: Door): NodeHandler {
  inbox.mount();
  return (req, res, next) => {
    const answering = answerNode(inbox, req);
    if (answering === undefined && next !== undefined) next();
    else void writeNode(res, answering ?? finished(req, elsewhere));
  };
}

/**
 * The answer to a request, for adapters that write it their own way; undefined when its path is not the inbox's. `left` is
 * where the framework's body parsers leave what they make, `target` path and query below the mount point, as on the
 * request line. Never rejects, and waits for what has to be read before the answer may be sent.
 */
export function answerNode(
  inbox: Door,
  req: IncomingMessage,
  left: Leftovers = req as Leftovers,
  target: string = req.url ?? "",
): Promise<Answer> | undefined {
  const head = {
    method: req.method ?? "",
    target,
    headers: req.httpVersionMajor < 2 ? req.rawHeaders : withoutPseudoHeaders(req.rawHeaders),
    remoteAddress: req.socket.remoteAddress,
  };
  const answering = inbox.receive(head, bodyOf(req, left));
  return answering?.then((answer) => (isLast(answer) ? finished(req, answer) : answer));
}

/** HTTP/2 has the path, and a token in it, among its headers. */
function withoutPseudoHeaders(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.startsWith(":") !== true);
}

const isLast = ({ headers }: Answer): boolean => headers["connection"] !== undefined;

/** A connection that ends after the answer is read on a little; HTTP/2 has no such header, and refuses it. */
async function finished(req: IncomingMessage, answer: Answer): Promise<Answer> {
  await discard(req);
  if (req.httpVersionMajor < 2) return answer;
  const { connection: _, ...headers } = answer.headers;
  return { ...answer, headers };
}

/** Writes an answer. Never rejects: what middleware of others does to a response must not end the process. */
export async function writeNode(res: ServerResponse, answering: Promise<Answer>): Promise<void> {
  try {
    const { status, headers, body } = await answering;
    if (res.headersSent || res.destroyed) return;
    const length = status === 204 ? {} : { "content-length": Buffer.byteLength(body) };
    res.writeHead(status, { ...headers, ...length });
    res.end(body);
  } catch {
    res.destroy();
  }
}
