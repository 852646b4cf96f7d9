/** A balancer as services have one in front: sends each request to the next instance that says it is ready, and never twice. */

import { once } from "node:events";
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const lookEveryMs = 100;
const patienceMs = 300;

export class Balancer {
  readonly #ports: readonly number[];
  readonly #ready = new Set<number>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer((req, res) => this.#pass(req, res));
  #next = 0;
  #looking: NodeJS.Timeout | undefined;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  /** Resolves once it listens, and an instance is ready; answers its port. */
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    while (this.#ready.size === 0) await this.#look();
    const lookAgain = (): void => {
      this.#looking = setTimeout(() => void this.#look().finally(lookAgain), lookEveryMs);
    };
    lookAgain();
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    clearTimeout(this.#looking);
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #look(): Promise<void> {
    await Promise.all(
      this.#ports.map(async (port) => {
        const isReady = await fetch(`http://127.0.0.1:${port}/ready`, {
          signal: AbortSignal.timeout(patienceMs),
        }).then(
          ({ ok }) => ok,
          () => false,
        );
        if (isReady) this.#ready.add(port);
        else this.#ready.delete(port);
      }),
    );
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const ready = this.#ports.filter((port) => this.#ready.has(port));
    const port = ready[this.#next++ % ready.length];
    if (port === undefined) return void outgoing.writeHead(502).end();
    const { method, url: path, headers } = incoming;
    const options = { host: "127.0.0.1", port, method, path, headers, agent: this.#agent };
    const passed = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.once("error", () => outgoing.destroy());
    incoming.pipe(passed);
  }
}
