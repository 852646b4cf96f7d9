/** An inbox with one source, at an instant of one's choice, that is given deliveries and says what became of them. */

import {
  createInbox,
  type Clock,
  type Diagnosis,
  type Signal,
  type Source,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import type { OutgoingDelivery } from "@webhook-inbox/testing/sign";
import { rememberingLogger, type Remembered } from "./log.ts";
import { ask, serve, type Answered } from "./served.ts";

export interface SignedDesk {
  readonly inbox: ReturnType<typeof createInbox>;
  readonly handled: readonly WebhookEvent[];
  readonly signals: readonly Signal[];
  readonly lines: readonly Remembered[];
  readonly diagnoses: () => readonly Diagnosis[];
  readonly states: () => Promise<readonly string[]>;
  readonly deliver: (delivery: Loose) => Promise<Answered>;
  /** Sets the clock. */
  readonly at: (now: number) => void;
}

/** A delivery to the source, whatever host its URL names. */
export type Loose = Partial<Omit<OutgoingDelivery, "headers" | "body">> & {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
};

export const publicUrl = "https://hooks.example.com";
/** The URL of the source `p`, as it is set at a provider. */
export const url = `${publicUrl}/webhooks/p`;

export async function signedDesk(
  source: Source,
  options: { readonly now?: number; readonly fetch?: typeof fetch } & Partial<
    Pick<Parameters<typeof createInbox>[0], "publicUrl" | "path" | "onInvalid" | "onUnknownType">
  > & { /** Default: `p`. */ readonly name?: string } = {},
): Promise<SignedDesk> {
  const { now = Date.now(), fetch = noNetwork, name = "p", ...more } = options;
  const handled: WebhookEvent[] = [];
  const signals: Signal[] = [];
  const { logger, lines } = rememberingLogger();
  let instant = now;
  const clock: Clock = {
    now: () => instant,
    after(delayMs, callback) {
      const timer = setTimeout(callback, Math.min(delayMs, 2_000_000_000));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { [name]: source },
    publicUrl,
    ...more,
    fetch,
    clock,
    logger,
    onSignal: (signal) => void signals.push(signal),
  });
  inbox.on(name, "*", (event) => void handled.push(event));
  const served = await serve(inbox);
  return {
    inbox,
    handled,
    signals,
    lines,
    at: (next) => {
      instant = next;
    },
    diagnoses: () =>
      signals.flatMap((signal) =>
        signal.kind === "received" && signal.receipt.kind === "refused"
          ? (signal.receipt.diagnosis ?? [])
          : [],
      ),
    async states() {
      const { events } = await inbox.list();
      return events.map(({ state, reason }) => [state, reason].filter(Boolean).join(" "));
    },
    async deliver({ method, url: given = url, headers = {}, body }) {
      const { pathname, search } = new URL(given);
      const answered = await ask(served, pathname + search, {
        method: method ?? "POST",
        headers,
        ...(body === undefined ? {} : { body }),
      });
      await inbox.idle();
      return answered;
    },
  };
}

const noNetwork: typeof fetch = () => Promise.reject(new TypeError("no network"));
