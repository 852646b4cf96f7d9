/** What becomes of events that cannot be read, are not known, or are read late. */

import { createInbox, defineProvider, type InboxOptions, type Source } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import * as z from "zod";
import { describe, expect, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const strict = z.object({ event: z.string(), station: z.number() });

function inboxOf(
  options: Partial<
    InboxOptions<{ socialdata: Source<{ job_finished: unknown; strict_event: unknown }> }>
  > = {},
) {
  return createInbox({
    store: memory({ acceptLoss: true }),
    sources: { socialdata: socialData({ token: "t", events: { strict_event: strict } }) },
    logger: false,
    ...options,
  });
}

type AnInbox = ReturnType<typeof inboxOf>;

async function sent(inbox: AnInbox, event: string): Promise<void> {
  const body = JSON.stringify({
    event,
    data: { job_id: event, status: "error", station: "north" },
  });
  const { status } = await ask(await serve(inbox), "/webhooks/socialdata/t", { body });
  expect(status).toBe(200);
  await inbox.idle();
}

const only = async (inbox: AnInbox) => (await inbox.list()).events[0];

describe("onUnknownType", () => {
  test("an unknown type is unhandled by default", async () => {
    const inbox = inboxOf();
    await sent(inbox, "new_space");
    expect(await only(inbox)).toMatchObject({ state: "unhandled", type: "new_space" });
  });

  test("with quarantine it waits for a person; a known type without a handler does not", async () => {
    const inbox = inboxOf({ onUnknownType: "quarantine" });
    await sent(inbox, "new_space");
    expect(await only(inbox)).toMatchObject({ state: "quarantined", reason: "unknown_type" });
    await sent(inbox, "job_finished");
    expect(await only(inbox)).toMatchObject({ state: "unhandled" });
  });

  test("what was unhandled is replayed once there is a handler", async () => {
    const file = temporaryFile();
    const before = inboxOf({ store: sqlite(file) });
    await sent(before, "job_finished");
    await before.close();
    const after = inboxOf({ store: sqlite(file) });
    let handled = 0;
    after.on("socialdata", "*", () => void (handled += 1));
    expect(await after.replay({ state: "unhandled" })).toMatchObject({ count: 1 });
    await after.idle();
    expect([handled, (await only(after))?.state]).toEqual([1, "done"]);
    await after.close();
  });
});

describe("onInvalid", () => {
  test("by default the event is quarantined, with what the schema says", async () => {
    const inbox = inboxOf();
    inbox.on("socialdata", "strict_event", () => expect.unreachable());
    await sent(inbox, "strict_event");
    const event = await only(inbox);
    expect(event).toMatchObject({ state: "quarantined", reason: "invalid" });
    expect(event?.history[0]?.failures[0]?.message).toContain("station");
  });

  test("with handle it is handled as it came, and says so", async () => {
    const inbox = inboxOf({ onInvalid: "handle" });
    let seen: unknown;
    inbox.on("socialdata", "strict_event", ({ data, notes }) => {
      seen = { notes, station: (data as { data: { station: unknown } }).data.station };
    });
    await sent(inbox, "strict_event");
    expect(seen).toEqual({ notes: ["id_missing", "data_invalid"], station: "north" });
    expect(await only(inbox)).toMatchObject({ state: "done" });
  });

  test("a release reads it again, with the schema that is there now", async () => {
    const file = temporaryFile();
    const before = inboxOf({ store: sqlite(file) });
    before.on("socialdata", "strict_event", () => undefined);
    await sent(before, "strict_event");
    await before.release({ state: "quarantined" });
    await before.idle();
    expect(await only(before)).toMatchObject({ state: "quarantined", reason: "invalid" });
    await before.close();
    const after = inboxOf({
      store: sqlite(file),
      sources: { socialdata: socialData({ token: "t", events: { strict_event: z.unknown() } }) },
    });
    after.on("socialdata", "strict_event", () => undefined);
    await after.release({ state: "quarantined", reason: "invalid" });
    await after.idle();
    const event = await only(after);
    expect(event?.interventions.map(({ act }) => act)).toEqual(["release", "release"]);
    expect(event).toMatchObject({ state: "done", attempts: 1 });
    await after.close();
  });
});

describe("identified late", () => {
  /** A provider whose deliveries hold several events; `version` 1 cannot read the new format. */
  function lists(version: 1 | 2) {
    return defineProvider({
      name: "lists",
      auth: ["token"],
      methods: ["POST"],
      habits: { redelivers: "never", bodyStable: true },
      events: { item: z.object({ id: z.string() }).loose() },
      identify({ body }) {
        const parsed = JSON.parse(Buffer.from(body).toString()) as { v: number; items: string[] };
        if (parsed.v > version) return { kind: "unreadable", reason: "unidentified" };
        return { kind: "events", events: parsed.items.map((id) => ({ id, type: "item" })) };
      },
      parse: (_, { id }) => ({ id }),
    })({ token: "t" });
  }

  const inboxOn = (file: string, version: 1 | 2) =>
    createInbox({ store: sqlite(file), sources: { lists: lists(version) }, logger: false });

  const post = async (inbox: ReturnType<typeof inboxOn>, body: object): Promise<number> => {
    const served = await serve(inbox);
    return (await ask(served, "/webhooks/lists/t", { body: JSON.stringify(body) })).status;
  };

  test("a release after a deployment that can read it: it becomes its events, each once", async () => {
    const file = temporaryFile();
    const before = inboxOn(file, 1);
    expect(await post(before, { v: 1, items: ["known"] })).toBe(200);
    expect(await post(before, { v: 2, items: ["a", "b", "known"] })).toBe(200);
    await before.idle();
    expect(await only(before as never)).toMatchObject({
      state: "quarantined",
      reason: "unidentified",
      identified: false,
    });
    await before.close();

    const after = inboxOn(file, 2);
    const handled: string[] = [];
    after.on("lists", "item", ({ data }) => void handled.push(data.id));
    expect(await after.release({ state: "quarantined" })).toMatchObject({ count: 1 });
    await after.idle();
    expect(handled.toSorted()).toEqual(["a", "b"]);
    const { events } = await after.list();
    // The id that was known came with other bytes: it is kept beside the first one.
    expect(events.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual([
      "a done",
      "b done",
      "known quarantined",
      "known unhandled",
      expect.stringMatching(/^sha256:[0-9a-f]+ done$/),
    ]);
    await after.release({ state: "quarantined", reason: "conflict" });
    await after.idle();
    expect(handled).toContain("known");
    expect(await after.audit()).toMatchObject({ missing: 0, isBalanced: true });
    await after.close();
  });

  test("a body over 256 KiB is answered before it is read, and handled all the same", async () => {
    const inbox = inboxOn(temporaryFile(), 2);
    const handled: string[] = [];
    inbox.on("lists", "item", async ({ data }, { delivery }) => {
      handled.push(`${data.id} ${delivery.body.length}`);
    });
    const body = { v: 2, items: ["x", "y"], padding: "p".repeat(300_000) };
    expect(await post(inbox, body)).toBe(200);
    expect(await post(inbox, body)).toBe(200);
    await inbox.idle();
    const { length } = JSON.stringify(body);
    expect(handled.toSorted()).toEqual([`x ${length}`, `y ${length}`]);
    const { events } = await inbox.list();
    expect(events.find(({ identified }) => !identified)).toMatchObject({
      state: "done",
      duplicates: 1,
    });
    await inbox.close();
  });

  test("a body over 256 KiB that cannot be read is quarantined by the worker", async () => {
    const inbox = inboxOn(temporaryFile(), 2);
    const served = await serve(inbox);
    const body = "x".repeat(300_000);
    expect((await ask(served, "/webhooks/lists/t", { body })).status).toBe(200);
    await inbox.idle();
    const event = await only(inbox as never);
    expect(event).toMatchObject({ state: "quarantined", reason: "unidentified" });
    expect(event?.history[0]?.failures[0]).toMatchObject({ handler: "(identify)" });
    await inbox.close();
  });
});
