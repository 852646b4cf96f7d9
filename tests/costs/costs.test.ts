/**
 * What an event costs, in what does not depend on the machine: round trips, commits, and bytes written to the disk. A
 * change that costs more has to say so here.
 */

import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createInbox, systemClock, type NewEvent, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { Client, Pool } from "pg";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { newEvent } from "../support/new-event.ts";
import { temporaryFile } from "../support/temporary.ts";

const batch = 64;
const body = "x".repeat(700);

let batches = 0;
function newBatch(): readonly NewEvent[] {
  batches += 1;
  return Array.from({ length: batch }, (_, n) => newEvent("a", `${batches}/${n}`, "x", body));
}

const take = (store: Store, events: readonly NewEvent[], slots: number): Promise<unknown> =>
  store.take(events, { fence: `take ${batches}`, leaseMs: 60_000, slots: { a: slots } });

function settle(store: Store, events: readonly NewEvent[], fence: string): Promise<unknown> {
  const end = { outcome: { state: "done" }, finished: ["a/x"], gaveUp: [], history: [] } as const;
  return store.settle(events.map(({ key }) => ({ key, fence, ...end })));
}

const claimTerms = {
  leaseMs: 60_000,
  slots: { a: batch },
  suspectsMax: 1,
  crashesMax: 9,
  bytesMax: 1e9,
};

/** How often something was done meanwhile. */
type Count = () => number;

/** Counts of one thing, for each verb on a batch of 64, once everything is prepared. */
async function counted(store: Store, count: Count): Promise<Record<string, number>> {
  const during = async (act: () => Promise<unknown>): Promise<number> => {
    const before = count();
    await act();
    return count() - before;
  };
  for (let warmUp = 0; warmUp < 3; warmUp++) {
    const events = newBatch();
    await take(store, events, batch);
    await settle(store, events, `take ${batches}`);
    await take(store, newBatch(), 0);
    await store.claim({ ...claimTerms, fence: `warm-up ${warmUp}` });
  }
  const events = newBatch();
  const costs: Record<string, number> = {
    "take, born claimed": await during(() => take(store, events, batch)),
    settle: await during(() => settle(store, events, `take ${batches}`)),
    "take of duplicates": await during(() =>
      take(
        store,
        events.map((event) => ({ ...event })),
        0,
      ),
    ),
  };
  await take(store, newBatch(), 0);
  await take(store, newBatch(), 0);
  costs["claim of a backlog"] = await during(() =>
    store.claim({ ...claimTerms, fence: "claim 1" }),
  );
  await store.claim({ ...claimTerms, fence: "claim 2" });
  costs["claim of nothing"] = await during(() => store.claim({ ...claimTerms, fence: "claim 3" }));
  return costs;
}

/** Bytes for each event that is taken and settled, over some batches. */
async function bytesEach(store: Store, written: () => Promise<number>): Promise<number> {
  const rounds = 5;
  const once = async (): Promise<void> => {
    const events = newBatch();
    await take(store, events, batch);
    await settle(store, events, `take ${batches}`);
  };
  for (let warmUp = 0; warmUp < 3; warmUp++) await once();
  const before = await written();
  for (let round = 0; round < rounds; round++) await once();
  return ((await written()) - before) / (rounds * batch);
}

test("SQLite", async () => {
  const file = temporaryFile();
  const store = sqlite(file);
  await store.open({ clock: systemClock });
  onTestFinished(() => store.close());
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  onTestFinished(() => exec.mockRestore());
  const commits: Count = () => exec.mock.calls.filter(([sql]) => sql === "COMMIT").length;
  expect(await counted(store, commits)).toEqual({
    "take, born claimed": 1,
    settle: 1,
    "take of duplicates": 1,
    "claim of a backlog": 1,
    "claim of nothing": 0,
  });
  const empty = (): void => {
    const database = new DatabaseSync(file);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    database.close();
  };
  let all = 0;
  // The journal is emptied as it is read: it must not begin anew by itself in between.
  const written = async (): Promise<number> => {
    all += statSync(`${file}-wal`).size;
    empty();
    return all;
  };
  expect(await bytesEach(store, written)).toBeLessThan(7500);
});

test("PostgreSQL", async () => {
  const schema = `costs_${process.pid}`;
  const pool = new Pool({ connectionString: inject("postgresUrl"), max: 5 });
  const store = postgres(pool, { schema });
  await store.open({ clock: systemClock });
  onTestFinished(async () => {
    await store.close();
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    await pool.end();
  });
  const query = vi.spyOn(Client.prototype, "query");
  onTestFinished(() => query.mockRestore());
  // Nothing is prepared by a name of its own, and nothing begun and ended by itself: each is a round trip and a commit.
  const statements: Count = () =>
    query.mock.calls.filter(([given]) => !JSON.stringify(given).includes("pg_notify")).length;
  expect(await counted(store, statements)).toEqual({
    "take, born claimed": 1,
    settle: 1,
    "take of duplicates": 2,
    "claim of a backlog": 1,
    "claim of nothing": 2,
  });
  const written = async (): Promise<number> => {
    const { rows } = await pool.query<{ bytes: string }>(
      "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes",
    );
    return Number(rows[0]?.bytes);
  };
  expect(await bytesEach(store, written)).toBeLessThan(4500);
});

test("Redis", async () => {
  const client = new Redis(inject("redisUrl"));
  const store = redis(client, { prefix: `costs:${process.pid}` });
  await store.open({ clock: systemClock });
  onTestFinished(async () => {
    await store.close();
    client.disconnect();
  });
  const send = vi.spyOn(client, "callBuffer");
  expect(await counted(store, () => send.mock.calls.length)).toEqual({
    "take, born claimed": 1,
    settle: 1,
    "take of duplicates": 1,
    "claim of a backlog": 1,
    "claim of nothing": 1,
  });
  const written = async (): Promise<number> => {
    const text = await client.info("persistence");
    return Number(/aof_current_size:(\d+)/.exec(text)?.[1]);
  };
  expect(await bytesEach(store, written)).toBeLessThan(4500);
});

const senders = 64;
const deliveriesEach = 40;

/** Of the events of many senders, who each wait for an answer before they send again, how many had to be looked for. */
async function lookedFor(store: Store): Promise<number> {
  const inbox = createInbox({
    store,
    sources: { audata: audata({ token: "a-token-of-a-test" }) },
    logger: false,
  });
  let handled = 0;
  inbox.on("audata", "*", () => void (handled += 1));
  let found = 0;
  const claim = store.claim.bind(store);
  vi.spyOn(store, "claim").mockImplementation(async (ask) => {
    const answer = await claim(ask);
    found += answer.claims.length;
    return answer;
  });
  onTestFinished(() => inbox.close());
  await inbox.start();
  const send = async (sender: number): Promise<void> => {
    for (let nth = 0; nth < deliveriesEach; nth++) {
      const content = { webhookCallId: `${sender}/${nth}`, event: "Listener.updated", data: {} };
      const init = { method: "POST", body: JSON.stringify(content) };
      const url = "http://localhost/webhooks/audata/a-token-of-a-test";
      expect((await inbox.fetch(new Request(url, init))).status).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: senders }, (_, sender) => send(sender)));
  await inbox.idle();
  expect(handled).toBe(senders * deliveriesEach);
  return found / handled;
}

/** What comes in is handed over in memory, also after a search that had all slots promised to itself for a moment. */
test.each(["PostgreSQL", "Redis"])("under load hardly anything is looked for: %s", async (kind) => {
  const pool = new Pool({ connectionString: inject("postgresUrl"), max: 5 });
  const client = new Redis(inject("redisUrl"));
  const name = `costs_load_${process.pid}`;
  onTestFinished(async () => {
    await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
    await pool.end();
    client.disconnect();
  });
  const store: Store =
    kind === "Redis" ? redis(client, { prefix: name }) : postgres(pool, { schema: name });
  expect(await lookedFor(store)).toBeLessThan(0.2);
});
