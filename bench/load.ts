/**
 * The load generator, in a process of its own: keep-alive connections that each send a delivery, wait for its answer, and
 * send the next, every one with an id of its own; or, at a fixed rate, send when it is time, whatever has been answered.
 */

import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { paths, secret, type Shape } from "./subjects/subject.ts";

export interface LoadAsk {
  readonly port: number;
  readonly shape: Shape;
  readonly connections: number;
  /** How long to send before counting, and while counting. */
  readonly warmUpMs: number;
  readonly countedMs: number;
  /** At a fixed rate; undefined: as fast as answers come. */
  readonly perSecond?: number | undefined;
  /** Of how many deliveries one is a copy of the one before; undefined: none. */
  readonly copyEvery?: number | undefined;
}

export interface LoadResult {
  /** Answers in the time that is counted, and those of them that were not 200. */
  readonly answered: number;
  readonly refused: number;
  /** Answers 200 in all. */
  readonly taken: number;
  /** Those of them that were no copies. */
  readonly events: number;
  readonly seconds: number;
  /** From when it was to be sent. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** About 700 bytes each, as Audata and GitHub send them; `@` stands where the id goes. */
const templates: Readonly<Record<Shape, string>> = {
  audata: JSON.stringify({
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
  }),
  github: JSON.stringify({
    ref: "refs/heads/main",
    before: "0".repeat(40),
    after: "1".repeat(40),
    commits: [{ id: "1".repeat(40), message: `@ ${"x".repeat(230)}`, url: "https://example.org" }],
    repository: { id: 4711, full_name: "example/radio", private: false, fork: false },
    sender: { login: "ada", id: 12, type: "User", site_admin: false },
    compare: "https://example.org/example/radio/compare",
  }),
};

/** How long answers may take once nothing more is sent. */
const patienceMs = 20_000;

let ids = 0;
const run = `${process.pid.toString(36)}-${Date.now().toString(36)}`;

const headersOf: Readonly<Record<Shape, (id: string, body: string) => string>> = {
  audata: () => "",
  github: (id, body) =>
    `x-github-event: push\r\nx-github-delivery: ${id}\r\nx-hub-signature-256: sha256=${createHmac("sha256", secret).update(body).digest("hex")}\r\n`,
};

function requestOf(shape: Shape): string {
  const id = `${run}-${(ids++).toString(36).padStart(8, "0")}`;
  const body = templates[shape].replace("@", id);
  return `POST ${paths[shape]} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${headersOf[shape](id, body)}content-length: ${body.length}\r\n\r\n${body}`;
}

/** Sends one delivery at a time over a connection. */
class Sender {
  readonly #socket: Socket;
  #held = "";
  #done: (isOk: boolean) => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setNoDelay().setEncoding("latin1");
    this.#socket.on("data", (text) => this.#read(String(text)));
  }

  send(request: string, done: (isOk: boolean) => void): void {
    this.#done = done;
    this.#socket.write(request);
  }

  end(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  #read(text: string): void {
    this.#held += text;
    const length = lengthOf(this.#held);
    if (length === undefined || this.#held.length < length) return;
    const isOk = this.#held.startsWith("HTTP/1.1 200");
    this.#held = this.#held.slice(length);
    this.#done(isOk);
  }
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

export async function load(ask: LoadAsk): Promise<LoadResult> {
  const { port, shape, connections, warmUpMs, countedMs, perSecond, copyEvery = Infinity } = ask;
  const begin = performance.now() + warmUpMs;
  const end = begin + countedMs;
  const latencies: number[] = [];
  let [refused, taken, events, sent] = [0, 0, 0, 0];
  let last = "";
  const senders = Array.from({ length: connections }, () => new Sender(port));
  const sendOne = (sender: Sender, dueAt: number): Promise<void> =>
    new Promise((resolve) => {
      sent += 1;
      const isCopy = sent % copyEvery === 0;
      if (!isCopy) last = requestOf(shape);
      sender.send(last, (isOk) => {
        const now = performance.now();
        if (isOk) taken += 1;
        if (isOk && !isCopy) events += 1;
        if (now >= begin && now < end) {
          latencies.push(now - dueAt);
          if (!isOk) refused += 1;
        }
        resolve();
      });
    });

  // Code that has hardly run is slow: it is warmed up by as much as it takes.
  await eager(perSecond === undefined ? end : begin);
  if (perSecond !== undefined) await paced(perSecond);
  await Promise.all(senders.map((sender) => sender.end()));
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    answered: sorted.length,
    refused,
    taken,
    events,
    seconds: countedMs / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };

  async function eager(until: number): Promise<void> {
    await Promise.all(
      senders.map(async (sender) => {
        while (performance.now() < until) await sendOne(sender, performance.now());
      }),
    );
  }

  /** Whoever finds no free connection waits for one, and the time counts. */
  async function paced(rate: number): Promise<void> {
    const idle = [...senders];
    const waiting: number[] = [];
    const go = (): void => {
      while (idle.length > 0 && waiting.length > 0) {
        // All in turn: servers close connections that are not used for some seconds.
        const sender = idle.shift() as Sender;
        void sendOne(sender, waiting.shift() as number).then(() => {
          idle.push(sender);
          go();
        });
      }
    };
    let next = performance.now();
    while (next < end || waiting.length > 0 || idle.length < senders.length) {
      for (const now = performance.now(); next <= now && next < end; next += 1000 / rate) {
        waiting.push(next);
      }
      go();
      if (performance.now() > end + patienceMs) throw new Error("some were never answered");
      // A timer comes up to a millisecond late, of which many latencies here would consist.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

process.on("message", (ask: LoadAsk) => {
  void load(ask).then((result) => process.send?.(result));
});
