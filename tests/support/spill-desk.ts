/** An inbox with a spill, both on files, each of which can be taken away: for tests of custody. */

import { readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  createInbox,
  WebhookInboxError,
  type InboxOptions,
  type Signal,
  type Store,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { serve } from "./served.ts";
import { temporaryFile } from "./temporary.ts";
import { wrapped } from "./wrapped.ts";

const away = (): Error => new WebhookInboxError("STORE_UNAVAILABLE", "away.");

/** A store that can be taken away: its calls fail, or never end. */
export function fragile<T>(inner: Store<T>) {
  let mode: "there" | "away" | "hangs" = "there";
  const hanging: (() => void)[] = [];
  const calls: string[] = [];
  const guarded =
    (verb: "open" | "take" | "claim" | "settle" | "get" | "list") =>
    async (...given: readonly unknown[]): Promise<unknown> => {
      calls.push(verb);
      if (mode === "away") throw away();
      if (mode === "hangs") await new Promise<void>((resolve) => hanging.push(resolve));
      const act = inner[verb].bind(inner) as (...given: readonly unknown[]) => Promise<unknown>;
      return await act(...given);
    };
  const verbs = ["open", "take", "claim", "settle", "get", "list"] as const;
  const guards = Object.fromEntries(verbs.map((verb) => [verb, guarded(verb)]));
  return {
    store: wrapped(inner, guards as Partial<Store<T>>),
    calls,
    become(next: "there" | "away" | "hangs") {
      mode = next;
      if (next !== "hangs") for (const go of hanging.splice(0)) go();
    },
  };
}

export const sources = {
  jobs: socialData({ token: "t" }),
  calls: audata({ token: "t" }),
  batches: generic({ token: "t", id: "id" }),
};

interface SpillDeskOptions extends Partial<InboxOptions<typeof sources>> {
  readonly storeFile?: string;
  readonly spillFile?: string;
  /** Before anything is asked of it. */
  readonly begins?: "there" | "away" | "hangs";
}

export async function spillDesk({
  storeFile = temporaryFile(),
  spillFile = temporaryFile("spill.sqlite"),
  begins = "there",
  ...options
}: SpillDeskOptions = {}) {
  const main = fragile<unknown>(sqlite(storeFile));
  const beside = fragile<unknown>(sqlite(spillFile));
  main.become(begins);
  const signals: Signal[] = [];
  const handled: WebhookEvent[] = [];
  const inbox = createInbox<typeof sources, unknown>({
    store: main.store,
    spill: beside.store,
    sources,
    logger: false,
    onSignal: (signal) => void signals.push(signal),
    ...options,
  });
  for (const name of ["jobs", "calls", "batches"] as const) {
    inbox.on(name, "*", (event) => void handled.push(event));
  }
  const served = await serve(inbox);
  const kinds = (kind: Signal["kind"]): readonly Signal[] =>
    signals.filter((signal) => signal.kind === kind);
  return { inbox, served, main, beside, signals, handled, kinds, spillFile, storeFile };
}

export const job = (id: number, more = ""): { body: string } => ({
  body: `{"event":"job_finished","data":{"job_id":${id},"status":"error"${more}}}`,
});
export const jobs = "/webhooks/jobs/t";

/** All that the files of a database hold. */
export const contentOf = (file: string): string =>
  readdirSync(dirname(file))
    .filter((name) => name.startsWith(basename(file)))
    .map((name) => readFileSync(join(dirname(file), name), "latin1"))
    .join("");
