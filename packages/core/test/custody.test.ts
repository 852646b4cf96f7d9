/** Custody seen from both sides: what senders are answered, and what the store is asked. */

import {
  createInbox,
  WebhookInboxError,
  type BodySource,
  type NewEvent,
  type Store,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";

/** An inbox on a store whose `take` may be watched and made to fail. */
function desk(fail: (events: readonly NewEvent[]) => unknown = () => undefined) {
  const inner = memory({ acceptLoss: true });
  const asked: (readonly NewEvent[])[] = [];
  const take: Store["take"] = async (events, ask) => {
    asked.push(events);
    const error = fail(events);
    if (error !== undefined) throw error;
    return await innerTake(events, ask);
  };
  const innerTake = inner.take.bind(inner);
  const clock = new ManualClock();
  const inbox = createInbox({
    store: Object.assign(inner, { take }),
    sources: { jobs: socialData({ token: "t" }) },
    limits: { handlersMax: 1, bodyBytesMax: 8_000_000, inFlightBytesMax: 64_000_000 },
    logger: false,
    clock,
  });
  onTestFinished(() => inbox.close());
  /** Receives deliveries in the same turn of the event loop; answers their statuses. */
  const receive = async (
    ...bodies: readonly string[]
  ): Promise<readonly (number | undefined)[]> => {
    await inbox.list();
    const head = {
      method: "POST",
      target: "/webhooks/jobs/t",
      headers: [],
      remoteAddress: undefined,
    };
    const answers = bodies.map((text) => {
      const bytes = new TextEncoder().encode(text);
      const body: BodySource = {
        read: async () => ({ kind: "read", bytes, reconstructed: false }),
      };
      return inbox.receive(head, body);
    });
    const statuses = answers.map(async (answer) => (await answer)?.status);
    return await Promise.all(statuses);
  };
  return { inbox, asked, receive, clock };
}

const job = (id: number | string, more = ""): string =>
  `{"event":"job_finished","data":{"job_id":${id},"status":"error"${more}}}`;

describe("deliveries of one turn", () => {
  test("share one commit, in which equal ones are one event with a count", async () => {
    const { asked, receive, inbox } = desk();
    expect(await receive(job(1), job(2), job(1), job(1))).toEqual([200, 200, 200, 200]);
    expect(asked.map((events) => events.map(({ id, copies }) => `${id} ${copies}`))).toEqual([
      ["job:1:error 3", "job:2:error 1"],
    ]);
    const { events } = await inbox.list();
    expect(events.map(({ id, duplicates }) => [id, duplicates])).toEqual([
      ["job:2:error", 0],
      ["job:1:error", 2],
    ]);
  });

  test("never ask for a key twice at once: other content waits for the next commit", async () => {
    const { asked, receive, inbox } = desk();
    expect(await receive(job(1), job(1, ',"n":2'), job(2))).toEqual([200, 200, 200]);
    expect(asked.map((events) => events.length)).toEqual([1, 2]);
    const { events } = await inbox.list({ state: "quarantined" });
    expect(events).toMatchObject([{ id: "job:1:error", reason: "conflict" }]);
  });

  test("are bounded in bytes: large ones go in several commits", async () => {
    const { asked, receive } = desk();
    const large = (id: number): string => job(id, `,"x":"${"x".repeat(900_000)}"`);
    expect(await receive(large(1), large(2), large(3), large(4))).toEqual([200, 200, 200, 200]);
    expect(asked.map((events) => events.length)).toEqual([2, 2]);
  });
});

describe("a take that fails", () => {
  test("for one row harms only that one", async () => {
    const bad = (events: readonly NewEvent[]): unknown =>
      events.some(({ id }) => id === "job:3:error") ? new TypeError("bad row") : undefined;
    const { receive, inbox } = desk(bad);
    const statuses = await receive(...[1, 2, 3, 4, 5].map((id) => job(id)));
    expect(statuses).toEqual([200, 200, 503, 200, 200]);
    expect((await inbox.list()).events).toHaveLength(4);
  });

  test("for all rows alike is not tried row by row", async () => {
    const { receive, asked } = desk(() => new Error("a driver's own word for being away"));
    const statuses = await receive(...Array.from({ length: 64 }, (_, id) => job(id)));
    expect(new Set(statuses)).toEqual(new Set([503]));
    expect(asked.length).toBeLessThan(20);
  });

  test("because the store is away is not tried row by row", async () => {
    const away = new WebhookInboxError("STORE_UNAVAILABLE", "away");
    const { receive, asked } = desk(() => away);
    expect(await receive(job(1), job(2), job(3))).toEqual([503, 503, 503]);
    expect(asked).toHaveLength(1);
  });

  test("gives its slots back: later events are handled", async () => {
    let failures = 5;
    const { receive, inbox } = desk(() => (failures-- > 0 ? new Error("once more") : undefined));
    const handled: string[] = [];
    inbox.on("jobs", "*", ({ id }) => void handled.push(id));
    await inbox.idle();
    for (let n = 0; n < 5; n++) expect(await receive(job(n))).toEqual([503]);
    expect(await receive(job(7), job(8))).toEqual([200, 200]);
    await inbox.idle();
    expect(handled).toEqual(["job:7:error", "job:8:error"]);
  });
});

describe("identity", () => {
  test("content without an id is a new event after ten minutes", async () => {
    const { receive, inbox, clock } = desk();
    const other = '{"event":"other"}';
    await receive(other, other);
    clock.advance(11 * 60_000);
    await receive(other);
    const { events } = await inbox.list();
    expect(events.map(({ duplicates }) => duplicates)).toEqual([0, 1]);
  });

  test("an id longer than 255 characters, or with NUL, is shown shortened and safe, and stays itself", async () => {
    const { receive, inbox } = desk();
    const long = "x".repeat(300);
    await receive(job(`"${long}1"`), job(`"${long}2"`), job(String.raw`"a\u0000b"`));
    const { events } = await inbox.list();
    expect(events.map(({ id }) => id.length)).toEqual([13, 255, 255]);
    expect(events[0]?.id).toBe("job:a\uFFFDb:error");
  });
});
