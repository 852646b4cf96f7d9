/**
 * A store of one's own: the memory store behind a journal. Each call that changes something is appended to a file, with the
 * time it was made at, and made durable before it is answered; when the file is opened, all calls are made again. It is
 * here to be read: its file only ever grows.
 */

import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { WebhookInboxError, type Clock, type NoTransaction, type Store } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";

/** Verbs that change something. What they do depends on nothing but the calls before and the time. */
const changing = ["take", "claim", "extend", "settle", "intervene", "prune"] as const;

interface Entry {
  readonly verb: (typeof changing)[number];
  readonly given: readonly unknown[];
  readonly at: number;
}

export function journal(filename: string): Store<NoTransaction> {
  let inner = memory();
  let file: number | undefined;
  /** The time of the call that is being made. */
  let instant = 0;

  const make = ({ verb, given, at }: Entry): Promise<never> => {
    instant = at;
    return (inner[verb] as (...values: readonly unknown[]) => Promise<never>)(...given);
  };

  /** Nothing is answered before it is on the disk. What cannot be written did not happen. */
  const keep = (entry: Entry): void => {
    if (file === undefined) throw away("it is not open");
    try {
      writeSync(file, `${JSON.stringify(entry, toText)}\n`);
      fsyncSync(file);
    } catch (error) {
      throw away(String(error));
    }
  };
  const away = (why: string): WebhookInboxError =>
    new WebhookInboxError("STORE_UNAVAILABLE", `journal "${filename}" cannot be used now: ${why}.`);

  let clock: Clock;
  const kept =
    (verb: Entry["verb"]) =>
    async (...given: readonly unknown[]): Promise<never> => {
      const entry: Entry = { verb, given, at: clock.now() };
      keep(entry);
      return await make(entry);
    };

  return {
    supports: { durability: "commit", shared: false, transactions: false, wakeups: false },

    async open(context) {
      if (file !== undefined) return;
      ({ clock } = context);
      file = openSync(filename, "a+");
      inner = memory();
      await inner.open({ clock: { ...clock, now: () => instant } });
      // A last line that was cut off belongs to a call that nobody had an answer to.
      for (const line of readFileSync(filename, "utf8").split("\n").slice(0, -1)) {
        await make(JSON.parse(line, fromText) as Entry);
      }
    },

    async close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },

    take: kept("take"),
    claim: kept("claim"),
    extend: kept("extend"),
    settle: kept("settle"),
    intervene: kept("intervene"),
    prune: kept("prune"),
    get: (key) => inner.get(key),
    list: (query) => inner.list(query),
    tally: (query) => inner.tally(query),
    audit: () => inner.audit(),
  };
}

/** JSON has no bytes and no endless numbers. */
function toText(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  return value === Infinity ? { endless: true } : value;
}

function fromText(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("bytes" in value) return Buffer.from(String(value.bytes), "base64");
  return "endless" in value ? Infinity : value;
}
