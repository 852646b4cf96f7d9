/** The door for everything that speaks `Request` and `Response`. */

import type { BodyRead, BodySource, Door } from "../contracts/door.ts";
import { WebhookInboxError } from "../errors.ts";
import { elsewhere } from "./elsewhere.ts";
import { gather, type Bounds } from "./gather.ts";

/** What a `Request` does not say about itself. */
export interface FetchOptions {
  /**
   * Where the inbox begins in the path of the URL, mount point included, such as `/api/webhooks`. Default: the inbox's own
   * `path`.
   */
  readonly path?: string;
  /** Address of the other end, for sources without a credential: a `Request` does not say it. Without it they answer 401. */
  readonly remoteAddress?: string;
  /**
   * On platforms that stop after the response: what keeps them going, such as Next's `after`. Gets the work that is due
   * after a delivery, as `inbox.drain()`.
   */
  readonly waitUntil?: (working: Promise<unknown>) => void;
}

const pathPattern = /^(?:\/[^/?#]+)*\/?$/;

/** Answers a request; 404 when its path is not the inbox's. Rejects with `OPTION_INVALID` for a path that is none. */
export async function answerFetch(
  inbox: Door,
  request: Request,
  { path = inbox.path, remoteAddress }: FetchOptions,
): Promise<Response> {
  if (typeof path !== "string" || !pathPattern.test(path)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `fetch: path must look like "/api/webhooks", and is ${JSON.stringify(path)}.`,
    );
  }
  const start = path.endsWith("/") ? path.slice(0, -1) : path;
  const target = targetOf(request.url);
  const isBelow = target.startsWith(`${start}/`);
  const head = {
    method: request.method,
    target: inbox.path + target.slice(start.length),
    headers: [...request.headers].flat(),
    remoteAddress,
  };
  const answering = isBelow ? inbox.receive(head, bodyOf(request)) : undefined;
  const { status, headers, body } = (await answering) ?? elsewhere;
  // What becomes of the connection is the server's to say.
  const { connection: _, ...own } = headers;
  // A status that has no content has no body at all.
  return new Response(body === "" ? null : body, { status, headers: own });
}

/** Path and query of a URL that has been through a parser. */
function targetOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const mark = url.indexOf("#");
  return url.slice(start, mark === -1 ? undefined : mark);
}

function bodyOf({ body, bodyUsed, headers }: Request): BodySource {
  return {
    read(bytesMax, reserve) {
      const announced = Number(headers.get("content-length") ?? NaN);
      const isTaken = bodyUsed || body?.locked === true;
      if (body === null || (isTaken && announced === 0)) {
        return Promise.resolve({ kind: "read", bytes: new Uint8Array(), reconstructed: false });
      }
      if (isTaken) return Promise.resolve({ kind: "consumed" });
      return readStream(body, { bytesMax, announced, reserve });
    },
  };
}

/** Reads a stream, and leaves what it did not want of it: to cancel could end the connection before the answer. */
function readStream(stream: ReadableStream<unknown>, bounds: Bounds): Promise<BodyRead> {
  return new Promise((resolve) => {
    const reader = stream.getReader();
    const { add, end } = gather(bounds, (read) => {
      resolve(read);
      reader.releaseLock();
    });
    const pump = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return end();
        if (!(value instanceof Uint8Array)) return end({ kind: "aborted" });
        if (!add(value)) return;
      }
    };
    pump().catch(() => end({ kind: "aborted" }));
  });
}
