/** One request over a socket of its own, exactly as written, and what comes back. */

import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { connect } from "node:net";

export interface Outgoing {
  readonly method?: string;
  /** Below the prefix. */
  readonly path: string;
  /** Header lines, sent as they are. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
  /** Sends the body in chunks of so many bytes, without announcing its length. */
  readonly chunkBytes?: number;
}

export interface Incoming {
  readonly status: number;
  /** Names in lower case, with all their values. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

/** How long anything may take. */
const answerMsMax = 20_000;

/** Sends a request on a connection that could be kept, and waits for the whole answer. */
export async function exchange(port: number, outgoing: Outgoing): Promise<Incoming> {
  const { path, body, chunkBytes, headers = [] } = outgoing;
  const { method = body === undefined ? "GET" : "POST" } = outgoing;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const agent = new Agent({ keepAlive: true });
  const lines = [["host", `127.0.0.1:${port}`], ...headers];
  if (bytes !== undefined) {
    lines.push(
      chunkBytes === undefined
        ? ["content-length", String(bytes.length)]
        : ["transfer-encoding", "chunked"],
    );
  }
  const sent = request({
    host: "127.0.0.1",
    port,
    path,
    method,
    agent,
    headers: lines.flat(),
    signal: AbortSignal.timeout(answerMsMax),
  });
  // A refusal may arrive, and the connection end, while the body is still on its way.
  const answered = once(sent, "response") as Promise<[IncomingMessage]>;
  sent.on("error", () => undefined);
  if (bytes !== undefined && chunkBytes !== undefined) {
    for (let start = 0; start < bytes.length; start += chunkBytes) {
      sent.write(bytes.subarray(start, start + chunkBytes));
    }
    sent.end();
  } else {
    sent.end(bytes);
  }
  try {
    const [response] = await answered;
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return {
      status: response.statusCode ?? 0,
      headers: byName(response.rawHeaders),
      body: Buffer.concat(chunks).toString(),
    };
  } finally {
    agent.destroy();
  }
}

function byName(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, readonly string[]>();
  for (let line = 0; line + 1 < lines.length; line += 2) {
    const [name = "", value = ""] = lines.slice(line, line + 2);
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
  }
  return headers;
}

/**
 * Writes bytes to a socket as they are, with an end behind them if it is to be ended, and answers all that comes back until the
 * other side ends the connection.
 */
export async function raw(
  port: number,
  text: string,
  { isEnded = false }: { readonly isEnded?: boolean } = {},
): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(answerMsMax, () => socket.destroy());
  if (isEnded) socket.end(text);
  else socket.write(text);
  let seen = "";
  socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  socket.on("error", () => undefined);
  await once(socket, "close");
  return seen;
}

/** Writes bytes, and breaks the connection as soon as they are out. */
export async function writeAndLeave(port: number, text: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(text, resolve));
  socket.destroy();
}
