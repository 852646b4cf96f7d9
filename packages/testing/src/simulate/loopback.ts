/** What simulated providers share: an API on loopback, and calls to webhooks as a provider makes them. */

import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { send, type OutgoingDelivery } from "../senders/delivery.ts";

/** What became of one call. */
export interface Call {
  readonly delivery: OutgoingDelivery;
  /** The receiver's status; undefined when it did not answer in time. */
  readonly status: number | undefined;
  /** Whether it was 200: "any other response code" is a failure to SocialData, and the others name none. */
  readonly ok: boolean;
  /** What it answered. */
  readonly body: string | undefined;
  /** Why there is no answer, such as `ECONNREFUSED`. */
  readonly error?: string;
}

/** Where a simulated provider finds public URLs: a tunnel from `https://hooks.example.com` to a server on this machine. */
export type Tunnel = (url: string) => string;

/** How calls are made. */
export interface Calling {
  readonly tunnel?: Tunnel;
  /** How long a receiver has for its answer, in milliseconds. No document says. Default: 10,000. */
  readonly timeoutMs?: number;
}

/** Calls once: an answer of any kind, or none, ends it. */
export async function call(
  delivery: OutgoingDelivery,
  { tunnel = (url) => url, timeoutMs = 10_000 }: Calling,
): Promise<Call> {
  try {
    const { status, body } = await send({ ...delivery, url: tunnel(delivery.url) }, { timeoutMs });
    return { delivery, status, ok: status === 200, body };
  } catch (error) {
    const why = reasonOf(error);
    return { delivery, status: undefined, ok: false, body: undefined, error: why };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

export interface ApiRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface Api {
  /** Of the API, without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves JSON on a free port of loopback. */
export async function serveApi(
  answer: (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>,
): Promise<Api> {
  const respond = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = "", url = "", headers } = incoming;
    incoming.resume();
    const { status, body } = await answer({ method, path: url, headers });
    outgoing.writeHead(status, { "content-type": "application/json" });
    outgoing.end(JSON.stringify(body));
  };
  const server = createServer((incoming, outgoing) => void respond(incoming, outgoing));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
