/** An inbox with the provider under test, behind a real server, at an instant of one's choice. */

import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import {
  createInbox,
  type Clock,
  type Diagnosis,
  type Signal,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { nodeHandler } from "@webhook-inbox/core/node";
import type { OutgoingDelivery } from "../senders/delivery.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export interface Desk {
  /** The URL that is set at the provider: it names a public host, which `deliver` reaches. */
  readonly url: string;
  readonly handled: readonly WebhookEvent[];
  readonly diagnoses: readonly Diagnosis[];
  /** Everything that was logged. */
  readonly logged: () => string;
  /** Sends, and waits until what was taken is handled. */
  readonly deliver: (delivery: Raw) => Promise<Answered>;
  /** Sets the receiver's clock. */
  readonly at: (now: number) => void;
  /** Every event kept, as people see it. */
  readonly views: () => Promise<string>;
  /** State and reason of every event kept, and the secrets that their deliveries matched. */
  readonly kept: () => Promise<
    readonly { readonly state: string; readonly verifiedWith: string }[]
  >;
}

/** A delivery whose body may be no text, and whose headers may repeat. */
export interface Raw extends Omit<OutgoingDelivery, "body" | "headers"> {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array | undefined;
}

export interface Answered {
  readonly status: number;
  readonly body: string;
}

/** Any instant will do that the providers' certificates for tests hold at. */
export const instant = 1_750_000_000_000;
const publicUrl = "https://hooks.example.com";

export async function withDesk(
  options: Pick<ProviderSuiteOptions, "source" | "fetch">,
  secrets: readonly string[],
  use: (desk: Desk) => Promise<void>,
  dedup: "id" | "body" = "id",
): Promise<void> {
  const handled: WebhookEvent[] = [];
  const signals: Signal[] = [];
  const lines: string[] = [];
  let now = instant;
  const clock: Clock = { ...still, now: () => now };
  const log = (fields: object, message: string): void =>
    void lines.push(JSON.stringify(fields), message);
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { under: options.source(secrets, dedup) },
    handlers: { under: { "*": (event) => void handled.push(event) } },
    publicUrl,
    fetch: options.fetch ?? (() => Promise.reject(new TypeError("no network"))),
    onSignal: (signal) => void signals.push(signal),
    logger: { debug: log, info: log, warn: log, error: log },
    clock,
  });
  const server = createServer(nodeHandler(inbox)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await use({
      url: `${publicUrl}/webhooks/under`,
      handled,
      get diagnoses() {
        return signals.flatMap((signal) =>
          signal.kind === "received" && signal.receipt.kind === "refused"
            ? (signal.receipt.diagnosis ?? [])
            : [],
        );
      },
      logged: () => lines.join("\n"),
      deliver: async (delivery) => {
        const answered = await deliver(port, delivery);
        await inbox.idle();
        return answered;
      },
      at: (next) => {
        now = next;
      },
      views: async () => {
        const { events } = await inbox.list();
        return JSON.stringify(await Promise.all(events.map(({ key }) => inbox.view(key))));
      },
      kept: async () => {
        const { events } = await inbox.list();
        return await Promise.all(
          events.map(async ({ key, state, reason }) => ({
            state: [state, reason].filter(Boolean).join(" "),
            verifiedWith: (await inbox.get(key))?.delivery?.verifiedWith ?? "",
          })),
        );
      },
    });
  } finally {
    server.closeAllConnections();
    server.close();
    await inbox.close();
  }
}

/** Time stands still until it is set; timers are the machine's. */
const still: Clock = {
  now: () => instant,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, 2_000_000_000));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

async function deliver(port: number, { method, url, headers, body }: Raw): Promise<Answered> {
  const { pathname, search } = new URL(url);
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const given = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : [...value],
    ]),
  );
  const outgoing = request({
    port,
    host: "127.0.0.1",
    path: pathname + search,
    method,
    agent: false,
    headers: { ...given, ...length },
  });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  outgoing.on("error", () => undefined);
  outgoing.end(body);
  const [response] = await answered;
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, body: text };
}
