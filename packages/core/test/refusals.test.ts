/** The ring of refused deliveries: what was answered 401 because of a wrong secret of ours is not lost. */

import { createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { basename, dirname, join } from "node:path";
import { createInbox, hmac, type Secret, type Source, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { generic } from "@webhook-inbox/core/providers/generic";
import { slack } from "@webhook-inbox/core/providers/slack";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";

const day = 86_400_000;
const right = "the-right-secret-4711";
const wrong = "the-wrong-secret-4711";

/** An inbox of one source on a file or a store, at an instant of one's choice. */
async function opened(place: string | Store, source: Source, clock = new ManualClock()) {
  const store: Store = typeof place === "string" ? sqlite(place) : place;
  const handled: unknown[] = [];
  const inbox = createInbox({
    store,
    sources: { p: source },
    clock,
    publicUrl: "https://hooks.example.com",
    logger: false,
  });
  inbox.on("p", "*", (event) => void handled.push(event.data));
  return { inbox, clock, handled, served: await serve(inbox) };
}

async function refusedCount({ inbox }: Awaited<ReturnType<typeof opened>>): Promise<number> {
  return (await inbox.audit()).standing.refused ?? 0;
}

/** All that stands in the files of a store. */
const bytesOf = (file: string): string =>
  readdirSync(dirname(file))
    .filter((name) => name.startsWith(basename(file)))
    .map((name) => readFileSync(join(dirname(file), name), "latin1"))
    .join("\n");

const basic = (password: string): string =>
  `Basic ${Buffer.from(`user:${password}`).toString("base64")}`;
const workflow = { event: "workflow", id: 1 };
const sha256Hex = hmac({ algorithm: "sha256", encoding: "hex", header: "x-signature" });

interface Credential {
  readonly source: (secret: Secret) => Source;
  readonly path?: string;
  readonly headers?: (body: string) => Readonly<Record<string, string>>;
}

const credentials: Readonly<Record<string, Credential>> = {
  token: { source: (token) => generic({ token, id: "id" }), path: `/${right}` },
  bearer: {
    source: (bearer) => generic({ bearer, id: "id" }),
    headers: () => ({ authorization: `bearer ${right}` }),
  },
  "a header": {
    source: (key) => generic({ headers: { "x-key": key }, id: "id" }),
    headers: () => ({ "X-Key": right, cookie: `session=${right}` }),
  },
  basic: {
    source: (password) => generic({ basic: { user: "user", password }, id: "id" }),
    headers: () => ({ authorization: basic(right) }),
  },
  "a signature": {
    source: (secret) => generic({ secret, signature: sha256Hex, id: "id" }),
    headers: (body) => ({ "x-signature": createHmac("sha256", right).update(body).digest("hex") }),
  },
  "a header and a signature": {
    source: (secret) =>
      generic({ headers: { "x-key": secret }, secret: right, signature: sha256Hex, id: "id" }),
    headers: (body) => ({
      "x-key": right,
      "x-signature": createHmac("sha256", right).update(body).digest("hex"),
    }),
  },
};

describe("a delivery that was refused because of a wrong secret", () => {
  test.each(Object.entries(credentials))(
    "is handled once %s was put right, as of its arrival",
    async (_, { source, path = "", headers }) => {
      const file = temporaryFile();
      const body = JSON.stringify(workflow);
      const first = await opened(file, source(wrong));
      const sent = { body, headers: headers?.(body) ?? {} };
      const answered = await ask(first.served, `/webhooks/p${path}`, sent);
      expect(answered.status).toBe(401);
      await first.inbox.close();
      expect(first.handled).toEqual([]);
      expect(bytesOf(file)).not.toContain(right);
      expect(bytesOf(file)).not.toContain(basic(right).slice(6));

      first.clock.advance(5 * day);
      const still = await opened(file, source("another-wrong-one"), first.clock);
      expect(await still.inbox.verifyAgain()).toEqual({ count: 0, refused: { mismatch: 1 } });
      await still.inbox.close();

      const mended = await opened(file, source(right), first.clock);
      expect(await mended.inbox.verifyAgain({ dryRun: true })).toEqual({ count: 1, refused: {} });
      expect(await refusedCount(mended)).toBe(1);
      expect(await mended.inbox.verifyAgain({ by: "ada" })).toEqual({ count: 1, refused: {} });
      expect(await mended.inbox.verifyAgain()).toEqual({ count: 0, refused: {} });
      await mended.inbox.idle();
      expect(mended.handled).toEqual([workflow]);
      expect(await mended.inbox.audit()).toMatchObject({ missing: 0, isBalanced: true });
      const resent = await ask(mended.served, `/webhooks/p${path}`, sent);
      await mended.inbox.idle();
      expect([resent.status, mended.handled.length]).toEqual([200, 1]);
    },
  );

  test("tells who looks at it what verifying says now, and is verified again by its key alone", async () => {
    const file = temporaryFile();
    const first = await opened(file, generic({ token: wrong, id: "id" }));
    for (const id of [1, 2]) {
      await ask(first.served, `/webhooks/p/${right}`, { body: JSON.stringify({ id }) });
    }
    await first.inbox.close();
    const mended = await opened(file, generic({ token: right, id: "id" }), first.clock);
    const [one, other] = (await mended.inbox.list({ state: "refused" })).events;
    expect((await mended.inbox.view(one?.key ?? ""))?.verdict).toEqual({
      ok: true,
      secret: "token#1",
    });
    const only = { keys: [one?.key ?? "", "no key"] };
    expect(await mended.inbox.verifyAgain({ ...only, dryRun: true })).toMatchObject({ count: 1 });
    expect(await mended.inbox.verifyAgain({ ...only, source: "q" })).toMatchObject({ count: 0 });
    expect(await mended.inbox.verifyAgain(only)).toEqual({ count: 1, refused: {} });
    expect((await mended.inbox.list({ state: "refused" })).events).toMatchObject([
      { key: other?.key },
    ]);
    // Only what comes in shows that a secret is in use.
    expect(mended.inbox.secrets()).toEqual([]);
    await mended.inbox.close();
    const still = await opened(file, generic({ token: wrong, id: "id" }), first.clock);
    expect((await still.inbox.view(other?.key ?? ""))?.verdict).toMatchObject({
      ok: false,
      diagnosis: { code: "mismatch", credential: "token" },
    });
    const given = { keys: "x" } as never;
    await expect(still.inbox.verifyAgain(given)).rejects.toMatchObject({
      code: "SELECTION_INVALID",
    });
  });

  test("is verified with the time that it was signed at, and the secrets that held then", async () => {
    const file = temporaryFile();
    const first = await opened(file, slack({ secret: wrong }));
    const sendSignedAt = async (id: string, at: number): Promise<void> => {
      const body = JSON.stringify({ type: "event_callback", event_id: id, event: { type: "x" } });
      const seconds = `${Math.floor(at / 1000)}`;
      const mac = createHmac("sha256", right).update(`v0:${seconds}:${body}`).digest("hex");
      const headers = { "x-slack-request-timestamp": seconds, "x-slack-signature": `v0=${mac}` };
      await ask(first.served, "/webhooks/p", { body, headers });
    };
    const receivedAt = first.clock.now();
    await sendSignedAt("Ev1", receivedAt);
    await sendSignedAt("Ev2", receivedAt - day);
    await first.inbox.close();
    first.clock.advance(day);
    const secret = { value: right, notAfter: receivedAt + 1000 };
    const mended = await opened(file, slack({ secret }), first.clock);
    expect(await mended.inbox.verifyAgain()).toEqual({ count: 1, refused: { stale: 1 } });
    await mended.inbox.idle();
    expect(mended.handled).toHaveLength(1);
    const [event] = (await mended.inbox.list({ state: "done", type: "x" })).events;
    expect(event).toMatchObject({ id: "Ev1", receivedAt });
  });

  test("is the same event as one that came with the right secret", async () => {
    const file = temporaryFile();
    const first = await opened(file, socialData({ token: wrong }));
    const body = JSON.stringify({ event: "job_finished", data: { job_id: 1, status: "error" } });
    await ask(first.served, `/webhooks/p/${right}`, { body });
    await first.inbox.close();
    const mended = await opened(file, socialData({ token: right }), first.clock);
    await ask(mended.served, `/webhooks/p/${right}`, { body });
    await mended.inbox.idle();
    expect(await mended.inbox.verifyAgain()).toMatchObject({ count: 1 });
    await mended.inbox.idle();
    expect(mended.handled).toHaveLength(1);
    expect(await mended.inbox.audit()).toMatchObject({ missing: 0, isBalanced: true });
  });

  test("is not shadowed by a stranger's delivery of the same content", async () => {
    const file = temporaryFile();
    const first = await opened(file, generic({ token: wrong, id: "id" }));
    const body = JSON.stringify(workflow);
    for (const token of ["forged", right, right]) {
      expect((await ask(first.served, `/webhooks/p/${token}`, { body })).status).toBe(401);
    }
    await first.inbox.close();
    const mended = await opened(file, generic({ token: right, id: "id" }), first.clock);
    expect(await refusedCount(mended)).toBe(2);
    expect(await mended.inbox.verifyAgain()).toEqual({ count: 1, refused: { mismatch: 1 } });
    await mended.inbox.idle();
    expect(mended.handled).toEqual([workflow]);
  });

  test("of a GET is kept as well", async () => {
    const file = temporaryFile();
    const first = await opened(file, audata({ token: wrong }));
    const query = "?session_id=5&event=call.ended";
    expect((await ask(first.served, `/webhooks/p/${right}${query}`)).status).toBe(401);
    await first.inbox.close();
    const mended = await opened(file, audata({ token: right }), first.clock);
    expect(await mended.inbox.verifyAgain()).toMatchObject({ count: 1 });
    await mended.inbox.idle();
    expect(mended.handled).toHaveLength(1);
  });

  test("stays refused, and never reaches a handler, whatever else is done to it", async () => {
    const desk = await opened(temporaryFile(), generic({ token: right }));
    await ask(desk.served, `/webhooks/p/${wrong}`, { body: "{}" });
    await desk.inbox.verifyAgain();
    const [event] = (await desk.inbox.list({ state: "refused" })).events;
    const key = event?.key ?? "";
    expect(event).toMatchObject({ reason: "mismatch", identified: false });
    for (const act of ["replay", "release", "cancel"] as const) {
      expect(await desk.inbox[act](key)).toMatchObject({ count: 0 });
      await expect(desk.inbox[act]({ state: "refused" })).rejects.toMatchObject({
        code: "SELECTION_INVALID",
      });
    }
    // What is misspelt or undefined would mean all sources.
    for (const given of [{ sorce: "p" }, { source: undefined }] as object[]) {
      await expect(desk.inbox.verifyAgain(given)).rejects.toMatchObject({
        code: "SELECTION_INVALID",
      });
    }
    await desk.inbox.idle();
    expect(desk.handled).toEqual([]);
    expect(await refusedCount(desk)).toBe(1);
  });

  test("is erased with the event that it holds, and leaves nothing in the file", async () => {
    const file = temporaryFile();
    const first = await opened(file, socialData({ token: wrong }));
    const body = JSON.stringify({
      event: "job_finished",
      data: { job_id: 1, status: "error", note: "a-person-4711" },
    });
    await ask(first.served, `/webhooks/p/${right}`, { body });
    await first.inbox.close();
    const mended = await opened(file, socialData({ token: right }), first.clock);
    await ask(mended.served, `/webhooks/p/${right}`, { body });
    await mended.inbox.idle();
    const [event] = (await mended.inbox.list({ state: "done" })).events;
    expect(bytesOf(file)).toContain("a-person-4711");
    // One that nobody has written yet goes along.
    await ask(mended.served, `/webhooks/p/${wrong}`, { body });
    expect(await mended.inbox.erase(event?.key ?? "")).toMatchObject({ count: 3 });
    expect(await refusedCount(mended)).toBe(0);
    expect(bytesOf(file)).not.toContain("a-person-4711");
    expect(await mended.inbox.verifyAgain()).toEqual({ count: 0, refused: {} });
    await mended.inbox.close();
    expect(bytesOf(file)).not.toContain("a-person-4711");
  });
});

describe("a flood of refused deliveries", () => {
  test("of one content is one, and costs a commit in a second", async () => {
    const takes: number[] = [];
    const inner = sqlite(temporaryFile());
    const store = wrapped(inner, {
      take: async (events, asked) => {
        takes.push(events.length);
        return await inner.take(events, asked);
      },
    });
    const { inbox, clock, served } = await opened(store, audata({ token: right }));
    for (let n = 0; n < 50; n++) await ask(served, `/webhooks/p/${wrong}`, { body: "{}" });
    expect(takes).toEqual([]);
    clock.advance(1000);
    await inbox.verifyAgain();
    expect(takes).toEqual([1]);
    const { events } = await inbox.list({ state: "refused" });
    expect(events.map(({ duplicates }) => duplicates)).toEqual([49]);
  });

  test("of many contents is cut to a hundred, and to one in ten seconds after them", async () => {
    const desk = await opened(temporaryFile(), generic({ token: right }));
    const flood = async (count: number, from: number): Promise<void> => {
      for (let n = from; n < from + count; n++) {
        const { status } = await ask(desk.served, `/webhooks/p/${wrong}`, { body: `{"n":${n}}` });
        expect(status).toBe(401);
      }
    };
    await flood(130, 0);
    await desk.inbox.verifyAgain();
    expect(await refusedCount(desk)).toBe(100);
    desk.clock.advance(30_000);
    await flood(10, 1000);
    await desk.inbox.verifyAgain();
    expect(await refusedCount(desk)).toBe(103);
    expect(await desk.inbox.audit()).toMatchObject({ missing: 0, isBalanced: true });
  });

  test("leaves what is large, and does not wait long for what is slow", async () => {
    const desk = await opened(temporaryFile(), generic({ token: right }));
    const large = JSON.stringify({ text: "x".repeat(70_000) });
    expect((await ask(desk.served, `/webhooks/p/${wrong}`, { body: large })).status).toBe(401);
    const chunked = { body: large, chunked: true };
    expect((await ask(desk.served, `/webhooks/p/${wrong}`, chunked)).status).toBe(401);
    const socket = connect(desk.served.port, "127.0.0.1");
    const head = `POST /webhooks/p/${wrong} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`;
    socket.write(`${head}{"n"`);
    const answered = once(socket, "data") as Promise<[Buffer]>;
    await vi.waitUntil(() => {
      desk.clock.advance(1000);
      return socket.bytesRead > 0;
    });
    expect(String((await answered)[0])).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
    await desk.inbox.verifyAgain();
    expect(await refusedCount(desk)).toBe(0);
  });

  test("is answered at once while the store hangs", async () => {
    const inner = sqlite(temporaryFile());
    let isHanging = true;
    let release = (): void => undefined;
    const store = wrapped(inner, {
      take: async (events, asked) => {
        if (isHanging) await new Promise<void>((resolve) => (release = resolve));
        return await inner.take(events, asked);
      },
    });
    const { clock, served } = await opened(store, audata({ token: right }));
    for (let n = 0; n < 20; n++) {
      const { status } = await ask(served, `/webhooks/p/${wrong}`, { body: `{"n":${n}}` });
      expect(status).toBe(401);
      clock.advance(1000);
    }
    isHanging = false;
    release();
  });
});
