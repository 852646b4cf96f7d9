/** The user's client in the store's use: scripts by their hashes, and a deadline for every answer. */

import { createHash } from "node:crypto";
import { sendOf, type Argument, type RedisClient, type Send } from "./client.ts";
import { proveWritable } from "./durable.ts";
import { unavailable } from "./unavailable.ts";

export class Connection {
  readonly #send: Send;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #hashes = new Map<string, string>();

  constructor(client: RedisClient, prefix: string, timeoutMs: number) {
    this.#send = sendOf(client);
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
  }

  proveWritable(): Promise<void> {
    return proveWritable(this.#send, this.#prefix);
  }

  /** Runs a script; sends its text only where the server does not know it yet. */
  async run(script: string, input: unknown, more: readonly Buffer[] = []): Promise<unknown> {
    const text = typeof input === "string" ? input : JSON.stringify(input);
    const given: Argument[] = ["1", this.#prefix, text, ...more];
    return await this.answered(async () => {
      try {
        return await this.#send(this.#prefix, ["EVALSHA", this.#hashOf(script), ...given]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("NOSCRIPT")) throw error;
        return await this.#send(this.#prefix, ["EVAL", script, ...given]);
      }
    });
  }

  /** Clients may wait for a server for ever. What is waited for no longer may still happen, as every verb allows. */
  async answered<T>(act: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`it did not answer within ${this.#timeoutMs} ms`);
      timer = setTimeout(() => reject(error), this.#timeoutMs);
    });
    const acting = act();
    acting.catch(() => undefined);
    try {
      return await Promise.race([acting, late]);
    } catch (error) {
      throw unavailable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #hashOf(script: string): string {
    let hash = this.#hashes.get(script);
    if (hash === undefined) {
      hash = createHash("sha1").update(script).digest("hex");
      this.#hashes.set(script, hash);
    }
    return hash;
  }
}
