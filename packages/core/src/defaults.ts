/**
 * What `webhooks()` means when little or nothing is said: the three providers, a SQLite file in the working directory,
 * credentials from the environment. Adapters resolve their argument here.
 *
 * @module @webhook-inbox/core/defaults
 */

import type { Sources } from "./contracts/source.ts";
import type { Store } from "./contracts/store.ts";
import { WebhookInboxError } from "./errors.ts";
import { createInbox } from "./inbox/create-inbox.ts";
import type { Inbox } from "./inbox/inbox.ts";
import type { InboxOptions } from "./options/options.ts";
import { audata } from "./providers/audata.ts";
import { captainData } from "./providers/captain-data.ts";
import { socialData } from "./providers/socialdata.ts";
import { sqlite, type SqliteTransaction } from "./stores/sqlite/sqlite.ts";

/** Sources of an inbox that names none. */
export type DefaultSources = {
  readonly socialdata: ReturnType<typeof socialData<{}>>;
  readonly audata: ReturnType<typeof audata<{}>>;
  readonly "captain-data": ReturnType<typeof captainData<{}>>;
};

/** What `ctx.transaction` is where no store is named. */
export type DefaultTransaction = SqliteTransaction;

/** `createInbox`'s options, none of which is needed. */
export type WebhooksOptions<
  Of extends Sources = DefaultSources,
  Transaction = DefaultTransaction,
> = Omit<InboxOptions<Of, Transaction>, "store" | "sources"> & {
  /** Default: what `WEBHOOK_INBOX_STORE` names, else the SQLite file `./webhooks.sqlite`. */
  readonly store?: Store<Transaction>;
  /** Default: SocialData, Audata and Captain Data, with the credentials of the environment. */
  readonly sources?: Of;
};

/** The inbox that an adapter was given, or a new one from its options. Throws as `createInbox` does. */
export function inboxFrom<
  const Of extends Sources = DefaultSources,
  Transaction = DefaultTransaction,
>(given: Inbox<Of, Transaction> | WebhooksOptions<Of, Transaction> = {}): Inbox<Of, Transaction> {
  if ("receive" in given) return given;
  const sources = given.sources ?? (defaultSources() as unknown as Of);
  const store = given.store ?? storeFromUrl(process.env["WEBHOOK_INBOX_STORE"] ?? defaultStoreUrl);
  return createInbox<Of, Transaction>({
    ...given,
    store: store as Store<Transaction>,
    sources,
  });
}

const defaultStoreUrl = "sqlite:./webhooks.sqlite";

function defaultSources(): DefaultSources {
  return { socialdata: socialData(), audata: audata(), "captain-data": captainData() };
}

function storeFromUrl(url: string): Store {
  const filename = /^sqlite:(?:\/\/)?([^?#]+)$/.exec(url)?.[1];
  if (filename !== undefined) return sqlite(filename);
  const [scheme] = /^[a-z0-9+.-]+:/i.exec(url) ?? [];
  const found = scheme === undefined ? "names no kind of store" : `starts with "${scheme}"`;
  throw new WebhookInboxError(
    "OPTION_INVALID",
    `WEBHOOK_INBOX_STORE ${found}, and must be sqlite:<path of a file> without options, such as sqlite:./webhooks.sqlite. ` +
      "Another store is given in code: webhooks({ store: postgres(pool) }).",
  );
}
