/** One instance for `pnpm bench wake-ups`: notes when each delivery was answered, and when its handler began. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInbox, type Inbox, type Store } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { Pool } from "pg";

/** Instants by id, in milliseconds since 1970 with their fractions. */
export interface Noted {
  readonly answered: Readonly<Record<string, number>>;
  readonly begun: Readonly<Record<string, number>>;
}

export interface Instance {
  readonly role: "both" | "receive" | "work";
  readonly store: "sqlite" | "postgres" | "redis";
  /** A file, or the address of a server. */
  readonly place: string;
  /** What tells it from others on the same server. */
  readonly name: string;
}

const { role, store: kind, place, name } = JSON.parse(process.argv[2] ?? "{}") as Instance;

function opened(): Store {
  switch (kind) {
    case "sqlite":
      return sqlite(place);
    case "postgres":
      return postgres(new Pool({ connectionString: place, max: 10 }), { schema: name });
    case "redis":
      return redis(new Redis(place), { prefix: name });
  }
}

const now = (): number => performance.timeOrigin + performance.now();
const answered: Record<string, number> = {};
const begun: Record<string, number> = {};

const inbox = createInbox({
  store: opened(),
  sources: { audata: audata({ token: "token" }) },
  work: role !== "receive",
  logger: false,
});
(inbox as Inbox).on("audata", "*", ({ id }) => void (begun[id] = now()));
const handler = nodeHandler(inbox);
const server = createServer((req, res) => {
  const id = String(req.headers["x-id"]);
  // It is on its way once the head and the body are with the operating system.
  res.once("finish", () => (answered[id] = now()));
  handler(req, res);
});
await inbox.start();
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));

process.on("message", (word) => {
  if (word === "noted") process.send?.({ answered, begun } satisfies Noted);
  if (word === "end") void inbox.close().then(() => process.exit(0));
});
