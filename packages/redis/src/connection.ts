/** The user's client in the store's use: scripts by their hashes, and a deadline for every answer. */

import { createHash } from "node:crypto";
import { isWebhookInboxError, WebhookInboxError } from "@webhook-inbox/core";
import { inTime } from "@webhook-inbox/core/records";
import { sendOf, type Argument, type RedisClient, type Send } from "./client.ts";
import { proveDurable, proveWritable } from "./durable.ts";
import { unavailable } from "./unavailable.ts";

const provenMs = 60_000;

/** Scripts know neither endless numbers nor half of a character. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  return Number.isNaN(value) ? undefined : Math.sign(value) * 9e15;
}

/** The text of what holds no endless number: several times faster, where there is no half of a character in it either. */
export function jsonOf(input: unknown): string {
  const text = JSON.stringify(input);
  return text.includes("\\ud") ? JSON.stringify(input, plain) : text;
}

export class Connection {
  readonly #send: Send;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #client: RedisClient;
  readonly #acceptsLoss: boolean;
  readonly #hashes = new Map<string, string>();
  /** When the server was last seen to have the settings that it needs. */
  #provenAt = -Infinity;

  constructor(client: RedisClient, prefix: string, timeoutMs: number, acceptsLoss: boolean) {
    this.#client = client;
    this.#send = sendOf(client);
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
    this.#acceptsLoss = acceptsLoss;
  }

  /** Proves that the server can be used, and keeps what it answers for. */
  open(): Promise<void> {
    return this.#answered(async () => {
      // A cluster learns of its servers with the first command.
      await this.#send(this.#prefix, ["EXISTS", `${this.#prefix}meta`]);
      await this.#prove();
      await proveWritable(this.#send, this.#prefix);
    });
  }

  async #prove(): Promise<void> {
    if (!this.#acceptsLoss) await proveDurable(this.#client);
    this.#provenAt = performance.now();
  }

  /** Settings may be changed while it runs, and a server come back with others. */
  async #proveAgain(): Promise<void> {
    if (performance.now() - this.#provenAt < provenMs) return;
    try {
      await this.#prove();
    } catch (error) {
      if (!isWebhookInboxError(error) || error.code !== "STORE_LOSSY") throw error;
      // No row is to blame: the store counts as away for as long as this is so.
      throw new WebhookInboxError(
        "STORE_UNAVAILABLE",
        error.message.replace("[webhook-inbox] ", ""),
        {
          cause: error,
        },
      );
    }
  }

  /** Runs a script; sends its text only where the server does not know it yet. */
  async run(script: string, input: unknown, more: readonly Buffer[] = []): Promise<unknown> {
    const text = typeof input === "string" ? input : JSON.stringify(input, plain);
    const given: Argument[] = ["1", `${this.#prefix}meta`, text, ...more];
    return await this.#answered(async () => {
      await this.#proveAgain();
      try {
        return await this.#send(this.#prefix, ["EVALSHA", this.#hashOf(script), ...given]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("NOSCRIPT")) throw error;
        return await this.#send(this.#prefix, ["EVAL", script, ...given]);
      }
    });
  }

  /** Clients may wait for a server for ever. What is waited for no longer may still happen, as every verb allows. */
  async #answered<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await inTime(act(), this.#timeoutMs, "it did not answer");
    } catch (error) {
      // Whoever answers next may be another server.
      this.#provenAt = -Infinity;
      throw unavailable(error);
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
