import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInbox, systemClock, type Store } from "@webhook-inbox/core";
import { encrypted, type EncryptionKey } from "@webhook-inbox/core/encrypted";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { fragile } from "../../../tests/support/spill-desk.ts";
import { newEvent } from "../../../tests/support/new-event.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const key = (id: string): EncryptionKey => ({ id, key: Buffer.alloc(32, id) });
const sources = { audata: audata({ token: "t" }) };

/** An inbox on `file`; what it handles is in `handled`. */
function inboxOn(
  file: string,
  keys: readonly EncryptionKey[],
  more: { readonly spill?: Store } = {},
) {
  const signals: string[] = [];
  const handled: unknown[] = [];
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: encrypted(sqlite(file), { keys }),
    sources,
    logger,
    onSignal: (signal) => void signals.push(JSON.stringify(signal)),
    ...more,
  });
  inbox.on("audata", "*", ({ data }) => void handled.push(data));
  onTestFinished(() => inbox.close());
  return { inbox, handled, signals, lines };
}

/** One that only receives, and encrypts with the key `a`. */
const receiverOn = (file: string) =>
  createInbox({
    store: encrypted(sqlite(file), { keys: [key("a")] }),
    sources,
    logger: false,
    work: false,
  });

const call = (id: string): string =>
  JSON.stringify({ event: "Prize.created", webhookCallId: id, note: "canary-body" });

async function post(
  inbox: { fetch(request: Request): Promise<Response> },
  id: string,
): Promise<void> {
  const headers = { "content-type": "application/json", "x-note": "canary-header" };
  const url = `http://inbox.test/webhooks/audata/t?q=canary-query`;
  const answer = await inbox.fetch(new Request(url, { method: "POST", headers, body: call(id) }));
  expect(answer.status).toBe(200);
}

const isIn = (file: string, text: string): boolean =>
  readdirSync(dirname(file)).some((name) => readFileSync(join(dirname(file), name)).includes(text));

test("nothing that a sender says is in the file, and handlers and people get it as it came", async () => {
  const file = temporaryFile();
  const { inbox, handled } = inboxOn(file, [key("a")]);
  await post(inbox, "1");
  await inbox.idle();
  expect(handled).toMatchObject([{ note: "canary-body" }]);
  const [event] = (await inbox.list()).events;
  const kept = await inbox.get(event?.key ?? "");
  expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(call("1"));
  expect(kept?.delivery?.target).toBe("/webhooks/audata/***?q=canary-query");
  expect(kept?.delivery?.headers.join()).toContain("canary-header");
  for (const text of ["canary-body", "canary-header", "canary-query"]) {
    expect([text, isIn(file, text)]).toEqual([text, false]);
  }
});

test("a delivery by GET, whose query is all it says, is encrypted too", async () => {
  const file = temporaryFile();
  const { inbox, handled } = inboxOn(file, [key("a")]);
  const url =
    "http://inbox.test/webhooks/audata/t?event=Prize.created&webhookCallId=2&note=canary-query";
  expect((await inbox.fetch(new Request(url))).status).toBe(200);
  await inbox.idle();
  expect(handled).toMatchObject([{ note: "canary-query" }]);
  expect(isIn(file, "canary-query")).toBe(false);
});

test("keys are rotated: a new one in front encrypts, those behind it still decrypt", async () => {
  const file = temporaryFile();
  const before = inboxOn(file, [key("a")]);
  await post(before.inbox, "1");
  await before.inbox.close();
  const after = inboxOn(file, [key("b"), key("a")]);
  await post(after.inbox, "2");
  await after.inbox.idle();
  for (const { key: of } of (await after.inbox.list()).events) {
    expect(Buffer.from((await after.inbox.get(of))?.delivery?.body ?? []).toString()).toContain(
      "canary",
    );
  }
  const database = new DatabaseSync(file);
  const headers = database
    .prepare("SELECT headers FROM webhook_inbox_deliveries ORDER BY seq")
    .all();
  database.close();
  expect(headers.map((row) => JSON.parse(String(row["headers"])) as string[])).toEqual([
    expect.arrayContaining(["webhook-inbox encrypted", "a"]),
    expect.arrayContaining(["webhook-inbox encrypted", "b"]),
  ]);
});

test("what was kept in the clear before is read as it is", async () => {
  const file = temporaryFile();
  const plain = createInbox({ store: sqlite(file), sources, logger: false, work: false });
  await post(plain, "1");
  await plain.close();
  const { inbox, handled } = inboxOn(file, [key("a")]);
  await inbox.start();
  await inbox.idle();
  expect(handled.length).toBe(1);
});

test.each<[string, EncryptionKey]>([
  ["is missing", key("b")],
  ["is another one under its id", { id: "a", key: Buffer.alloc(32, "x") }],
])("an event whose key %s waits, others go on, and it is said which key", async (_, other) => {
  const file = temporaryFile();
  const receiver = receiverOn(file);
  await post(receiver, "1");
  await receiver.close();
  const without = inboxOn(file, [other]);
  const [waiting] = (await without.inbox.list()).events;
  await expect(without.inbox.read(waiting?.key ?? "")).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining('"a"') as unknown,
  });
  await post(without.inbox, "2");
  await without.inbox.start();
  await without.inbox.idle();
  expect(without.handled.length).toBe(1);
  expect(without.signals.join("\n")).toContain("STORE_UNAVAILABLE");
  expect(without.lines.map(({ level, message }) => `${level} ${message}`)).toContainEqual(
    expect.stringMatching(/^warn audata .* waits, next in \d+ s: \(decrypt\): .* with the key "a"/),
  );
  const states = (await without.inbox.list()).events.map(({ state }) => state);
  expect(states.toSorted()).toEqual(["done", "pending"]);
  await without.inbox.close();
  const again = inboxOn(file, [key("b"), key("a")]);
  const found = await again.inbox.get(waiting?.key ?? "");
  expect(found?.event).toMatchObject({ state: "pending", attempts: 0, crashes: 0 });
  expect(Buffer.from(found?.delivery?.body ?? []).toString()).toBe(call("1"));
});

test("a spill whose key is missing keeps what it has, and drains once the key is there", async () => {
  const [file, spill] = [temporaryFile(), temporaryFile("spill.sqlite")];
  const at = (id: string): Store => encrypted(sqlite(spill), { keys: [key(id)] });
  const away = fragile(encrypted(sqlite(file), { keys: [key("a")] }));
  away.become("away");
  const receiver = createInbox({ store: away.store, spill: at("a"), sources, logger: false });
  await post(receiver, "1");
  await receiver.close();

  const without = inboxOn(file, [key("b")], { spill: at("b") });
  await without.inbox.start();
  await expect.poll(() => without.signals.join("\n")).toContain("store_failed");
  expect((await without.inbox.health()).spill).toMatchObject({ waiting: 1 });
  // Nobody is told that all of it is gone.
  await expect(without.inbox.erase("0".repeat(26))).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  await without.inbox.close();

  const again = inboxOn(file, [key("b"), key("a")], {
    spill: encrypted(sqlite(spill), { keys: [key("b"), key("a")] }),
  });
  await again.inbox.start();
  await expect.poll(() => again.handled.length, { timeout: 20_000 }).toBe(1);
});

test("a refused delivery whose key is missing is not called forged", async () => {
  const file = temporaryFile();
  const receiver = inboxOn(file, [key("a")]);
  const url = "http://inbox.test/webhooks/audata/wrong";
  await receiver.inbox.fetch(new Request(url, { method: "POST", body: call("1") }));
  await receiver.inbox.verifyAgain();
  await receiver.inbox.close();
  const without = inboxOn(file, [key("b")]);
  expect((await without.inbox.verifyAgain()).refused).toEqual({ key_unavailable: 1 });
});

test("what was altered in the store is quarantined, and handled by nobody", async () => {
  const file = temporaryFile();
  const receiver = receiverOn(file);
  for (const id of ["1", "2"]) await post(receiver, id);
  await receiver.close();
  const database = new DatabaseSync(file);
  // The content of one row in another one, as it was written.
  database.exec(`
    UPDATE webhook_inbox_deliveries SET body = (SELECT body FROM webhook_inbox_deliveries ORDER BY seq LIMIT 1)
    WHERE seq = (SELECT max(seq) FROM webhook_inbox_deliveries)`);
  database.close();
  const { inbox, handled } = inboxOn(file, [key("a")]);
  await inbox.start();
  await inbox.idle();
  expect(handled.length).toBe(1);
  const { events } = await inbox.list({ state: "quarantined" });
  expect(events.map(({ reason }) => reason)).toEqual(["encrypted"]);
  await expect(inbox.read(events[0]?.key ?? "")).rejects.toMatchObject({
    code: "EVENT_UNREADABLE",
  });
});

test("a delivery that was moved to another source, or given another account, is found out", async () => {
  const file = temporaryFile();
  const store = encrypted(sqlite(file), { keys: [key("a")] });
  await store.open({ clock: systemClock });
  const ask = { fence: "f", leaseMs: 1000, slots: {} };
  await store.take([newEvent("a", "1", "x", "one"), newEvent("a", "2", "x", "two")], ask);
  const database = new DatabaseSync(file);
  database.exec(`
    UPDATE webhook_inbox_events SET source = 'b' WHERE id = '1';
    UPDATE webhook_inbox_deliveries SET account = 'victim' WHERE seq = (SELECT max(seq) FROM webhook_inbox_deliveries)`);
  database.close();
  const more = { suspectsMax: 10, crashesMax: 10, bytesMax: 1e6, slots: { a: 10, b: 10 } };
  const { claims } = await store.claim({ ...ask, ...more });
  expect(claims.map(({ delivery }) => delivery.undecrypted)).toEqual([
    { kind: "altered" },
    { kind: "altered" },
  ]);
  await store.close();
});

test("a store that is encrypted beside a spill that is not, or the other way round, is refused", () => {
  const [file, spill] = [temporaryFile(), temporaryFile("spill.sqlite")];
  const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown;
  expect(() => inboxOn(file, [key("a")], { spill: sqlite(spill) })).toThrow(invalid);
  const other = encrypted(sqlite(spill), { keys: [key("a")] });
  expect(() => createInbox({ store: sqlite(file), spill: other, sources })).toThrow(invalid);
  expect(() => inboxOn(file, [key("a")], { spill: other })).not.toThrow();
});

test("whoever gave a key may wipe it", async () => {
  const bytes = Buffer.alloc(32, "z");
  const file = temporaryFile();
  const store = encrypted(sqlite(file), { keys: [{ id: "z", key: bytes }] });
  bytes.fill(0);
  await store.open({ clock: systemClock });
  await store.take([newEvent("a", "1", "x", "one")], { fence: "f", leaseMs: 1000, slots: {} });
  await store.close();
  const again = encrypted(sqlite(file), { keys: [{ id: "z", key: Buffer.alloc(32, "z") }] });
  await again.open({ clock: systemClock });
  const [event] = (await again.list({})).events;
  expect((await again.get(event?.key ?? ""))?.delivery?.undecrypted).toBeUndefined();
  await again.close();
});

test("keys that cannot be are refused at once, and never quoted", () => {
  const store = sqlite("never-opened");
  const code = (of: string): unknown => expect.objectContaining({ code: of }) as unknown;
  expect(() => encrypted(store, { keys: [] })).toThrow(code("OPTION_INVALID"));
  expect(() => encrypted(store, { keys: [key("a"), key("a")] })).toThrow(code("OPTION_INVALID"));
  expect(() => encrypted(store, { keys: [{ id: "a b", key: "x" }] })).toThrow(
    code("OPTION_INVALID"),
  );
  expect(() => encrypted({} as never, { keys: [key("a")] })).toThrow(code("OPTION_INVALID"));
  for (const wrong of [
    "",
    "hush-hush",
    "a".repeat(63),
    "a".repeat(43),
    `"${"a".repeat(43)}="`,
    `\${${"A".repeat(42)}}`,
    undefined,
  ]) {
    const make = (): unknown => encrypted(store, { keys: [{ id: "a", key: wrong as string }] });
    expect(make).toThrow(code("CREDENTIAL_INVALID"));
    expect(make).not.toThrow(/hush/);
  }
});
