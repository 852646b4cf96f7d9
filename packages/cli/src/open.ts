/** The inbox that a command acts on: a user's own, or one that only looks at a store. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createInbox, type Inbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import type { Console } from "./console.ts";
import { Exit } from "./exit.ts";
import { openStore, type OpenOptions, type OpenStore } from "./stores.ts";

export interface Where {
  /** A URL. */
  readonly store?: string;
  /** A module whose export `inbox`, or default export, is an inbox. */
  readonly inbox?: string;
}

export interface Opened {
  readonly inbox: Inbox;
  /** Of one that was named by its URL. */
  readonly place?: OpenStore;
  readonly close: () => Promise<void>;
}

export const storeVariable = "WEBHOOK_INBOX_STORE";
const storeDefault = "./webhooks.sqlite";

export async function openInbox(
  { store, inbox }: Where,
  { env }: Console,
  options: OpenOptions = {},
): Promise<Opened> {
  if (store !== undefined && inbox !== undefined) {
    throw new Exit("usage", "--store and --inbox name two inboxes. Give one of them.");
  }
  if (inbox !== undefined) return await openModule(inbox);
  return await openUrl(urlOf(store, env), options);
}

/** The URL of the store: what was given, else what the environment says, else the file of `webhooks()`. */
export function urlOf(given: string | undefined, env: Console["env"]): string {
  return given ?? env[storeVariable] ?? defaultUrl();
}

function defaultUrl(): string {
  if (existsSync(storeDefault)) return `sqlite:${storeDefault}`;
  throw new Exit(
    "usage",
    `which store? Give --store sqlite:<file>, postgres://…, mysql://… or redis://…, set ${storeVariable}, or name your own inbox with ` +
      "--inbox <module>. There is no webhooks.sqlite in this directory.",
  );
}

async function openUrl(url: string, options: OpenOptions): Promise<Opened> {
  const place = await openStore(url, options);
  const { store, end } = place;
  // It never receives: the sources only say what is personal in the content of these three.
  const auth = "none" as const;
  const inbox = createInbox({
    store,
    sources: {
      socialdata: socialData({ auth }),
      audata: audata({ auth }),
      "captain-data": captainData({ auth }),
    },
    work: false,
    logger: false,
  });
  return {
    inbox,
    place,
    close: async () => {
      await inbox.close();
      await end();
    },
  };
}

async function openModule(path: string): Promise<Opened> {
  if (!existsSync(path)) throw new Exit("notFound", `--inbox: there is no file "${path}".`);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(pathToFileURL(resolve(path)).href)) as typeof exported;
  } catch (error) {
    throw new Exit("usage", `--inbox ${path} cannot be imported: ${String(error)}`);
  }
  const found = [exported["inbox"], exported["default"]].find(isInbox);
  if (found === undefined) {
    throw new Exit(
      "usage",
      `--inbox ${path} has no inbox among its exports. Export what createInbox() returns as "inbox", in a module that does ` +
        "not listen or start by itself.",
    );
  }
  return { inbox: found, close: () => found.close() };
}

function isInbox(value: unknown): value is Inbox {
  return typeof value === "object" && value !== null && "verifyAgain" in value && "tally" in value;
}
