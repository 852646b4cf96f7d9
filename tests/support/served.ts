/** An inbox behind a real HTTP server on a free port, for one test. */

import { createServer, request, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import type { Inbox, Sources } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { onTestFinished } from "vitest";

export interface Served {
  readonly url: string;
  readonly port: number;
}

/** Serves the inbox until the test ends; then closes both. */
export async function serve<Of extends Sources>(inbox: Inbox<Of>): Promise<Served> {
  onTestFinished(() => inbox.close());
  return await listen(nodeHandler(inbox));
}

/** Serves any listener until the test ends. */
export async function listen(listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port };
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

interface Ask {
  readonly method?: string;
  /** Sent as they are; a list repeats the header. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
  /** Sends the body without announcing its length. */
  readonly chunked?: boolean;
}

/** Asks over a socket of its own, with the path exactly as given. */
export async function ask({ port }: Served, path: string, more: Ask = {}): Promise<Answered> {
  const { method = more.body === undefined ? "GET" : "POST", headers = {}, body, chunked } = more;
  const length =
    body === undefined || chunked === true ? {} : { "content-length": Buffer.byteLength(body) };
  const outgoing = request({
    port,
    host: "127.0.0.1",
    path,
    method,
    agent: false,
    headers: { ...length, ...headers },
  });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  // A refusal may arrive, and the connection end, while the body is still on its way.
  outgoing.on("error", () => undefined);
  if (body !== undefined && chunked === true) outgoing.write(body);
  outgoing.end(chunked === true ? undefined : body);
  const [response] = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** Writes bytes to a socket, ends it, and answers all that comes back until it closes. */
export async function raw({ port }: Served, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  let seen = "";
  socket.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  socket.on("error", () => undefined);
  await once(socket, "close");
  return seen;
}
