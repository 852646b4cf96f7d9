/**
 * The load generator, in a process of its own: keep-alive connections that each send a delivery, wait for its answer, and
 * send the next, every one with an id of its own.
 */

import { connect, type Socket } from "node:net";

export interface LoadAsk {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** How long to send before counting, and while counting. */
  readonly warmUpMs: number;
  readonly countedMs: number;
}

export interface LoadResult {
  readonly answered: number;
  /** Answers other than 200. */
  readonly refused: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** About 700 bytes, as Audata sends them; `@` stands where the id goes. */
const template = JSON.stringify({
  webhookCallId: "@",
  event: "Listener.updated",
  data: {
    sender: {
      id: 4711,
      email: "listener@example.org",
      firstName: "Ada",
      lastName: "Example",
      city: "Graz",
    },
    station: { id: 12, name: "Radio Example", slug: "radio-example" },
    tags: ["morning", "competition", "newsletter"],
    note: "x".repeat(380),
  },
});

let ids = 0;
const run = `${process.pid.toString(36)}-${Date.now().toString(36)}`;

function requestOf(path: string): string {
  const body = template.replace("@", `${run}-${(ids++).toString(36).padStart(8, "0")}`);
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

export async function load({
  port,
  path,
  connections,
  warmUpMs,
  countedMs,
}: LoadAsk): Promise<LoadResult> {
  const begin = performance.now() + warmUpMs;
  const end = begin + countedMs;
  const latencies: number[] = [];
  let refused = 0;
  const one = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0;
      const send = (): void => {
        sentAt = performance.now();
        socket.write(requestOf(path));
      };
      let held = "";
      socket.setEncoding("latin1");
      socket.on("data", (text: string) => {
        held += text;
        const length = lengthOf(held);
        if (length === undefined || held.length < length) return;
        const now = performance.now();
        const isOk = held.startsWith("HTTP/1.1 200");
        held = held.slice(length);
        if (now >= begin && now < end) {
          latencies.push(now - sentAt);
          if (!isOk) refused += 1;
        }
        if (now < end) send();
        else socket.end(resolve);
      });
      socket.on("error", reject);
      send();
    });
  const sockets = Array.from({ length: connections }, () =>
    connect(port, "127.0.0.1").setNoDelay(),
  );
  await Promise.all(sockets.map(one));
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    answered: sorted.length,
    refused,
    seconds: countedMs / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** Length of the first answer with its head; undefined while the head is not whole. */
function lengthOf(text: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const [, length] = /content-length: *(\d+)/i.exec(text.slice(0, head)) ?? [];
  if (length === undefined && /transfer-encoding: *chunked/i.test(text.slice(0, head))) {
    const last = text.indexOf("0\r\n\r\n", head + 4);
    return last === -1 ? undefined : last + 5;
  }
  return head + 4 + Number(length ?? 0);
}

process.on("message", (ask: LoadAsk) => {
  void load(ask).then((result) => process.send?.(result));
});
