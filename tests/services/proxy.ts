/** A network between a client and a server that can be cut, or swallow what is sent, or be slow. */

import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from "node:net";

/** A URL of a server as it is reached through a proxy; the same if there is none. Resolves once that listens. */
export async function throughProxy(
  url: string,
  server: { readonly port: number } | undefined,
  proxy: Proxy | undefined,
): Promise<string> {
  if (server === undefined || proxy === undefined) return url;
  return url.replace(`:${server.port}`, `:${await proxy.listen()}`);
}

export class Proxy {
  readonly #server: TcpServer;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** `swallows`: connections stay open, and nothing arrives any more, as with a cable that was pulled. */
  #mode: "open" | "cut" | "swallows" = "open";
  #delayMs = 0;
  readonly #abandoned = new WeakSet<Socket>();
  /** What is asked for whose answer is to be lost. */
  #losing: string | undefined;

  constructor(to: { readonly port: number }) {
    this.#server = createServer((near) => this.#join(near, to.port));
  }

  #join(near: Socket, port: number): void {
    near.on("error", () => undefined);
    if (this.#mode === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    far.on("error", () => near.destroy());
    let isLost = false;
    for (const [from, to] of [pair, [far, near]] as const) {
      from.on("data", (chunk) => {
        if (from === near && this.#losing !== undefined && chunk.includes(this.#losing)) {
          isLost = true;
          this.#losing = undefined;
        }
        // The server has done it; nobody is told.
        if (from === far && isLost) near.resetAndDestroy();
        else this.#pass(chunk, to);
      });
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }

  #pass(chunk: Buffer, to: Socket): void {
    if (this.#mode === "swallows" || this.#abandoned.has(to)) return;
    if (this.#delayMs === 0) to.write(chunk);
    else setTimeout(() => to.write(chunk), this.#delayMs);
  }

  /** Resolves once it listens; answers its port. */
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resets all connections, and refuses new ones. */
  cut(): void {
    this.#mode = "cut";
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Loses, for ever, what is sent on the connections that there are, which stay open; new ones work. */
  abandon(): void {
    for (const pair of this.#pairs) for (const socket of pair) this.#abandoned.add(socket);
  }

  /** Loses what is sent, until it is mended. Connections stay open. */
  swallow(): void {
    this.#mode = "swallows";
  }

  /** Passes everything on again. Connections on which something was lost are reset. */
  mend(): void {
    if (this.#mode === "swallows") this.cut();
    this.#mode = "open";
  }

  /** Passes on the next request that holds a text, and resets the connection instead of its answer. */
  loseAnswerTo(text: string): void {
    this.#losing = text;
  }

  /** Lets everything take longer, in both directions. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
  }
}
