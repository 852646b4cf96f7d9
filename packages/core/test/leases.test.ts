/** Leases across processes on one file: handlers that block, loop for ever or sleep through their lease. */

import { createInbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const leaseMs = 1000;
const patience = { timeout: 25_000, interval: 10 };

/** A worker in a process of its own, with such a handler. Says what it does, one word a line. */
function workerProcess(file: string, timeoutMs: number, handler: string) {
  const program = `
    import { existsSync } from "node:fs";
    import { createInbox, retry } from "@webhook-inbox/core";
    import { socialData } from "@webhook-inbox/core/providers/socialdata";
    import { sqlite } from "@webhook-inbox/core/sqlite";
    const say = (fields) => console.log(fields.kind);
    const inbox = createInbox({
      store: sqlite(${JSON.stringify(file)}),
      sources: { socialdata: socialData({ token: "t" }) },
      work: { leaseMs: ${leaseMs} },
      logger: { debug() {}, info: say, warn: say, error: say },
    });
    inbox.on("socialdata", "job_finished", { timeoutMs: ${timeoutMs} }, async (event, ctx) => {
      console.log("begins");
      ${handler}
      console.log("ends");
    });
    await inbox.start();
    // Also suspects at once.
    void inbox.idle();
  `;
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return {
    child,
    says: (word: string) =>
      vi.waitUntil(() => said.split("\n").includes(word), { ...patience, interval: 2 }),
  };
}

/** An inbox in this process, on the same file. */
function inboxHere(file: string, work: boolean | { readonly leaseMs: number } = { leaseMs }) {
  const inbox = createInbox({
    store: sqlite(file),
    sources: { socialdata: socialData({ token: "t" }) },
    work,
    logger: false,
  });
  onTestFinished(() => inbox.close());
  return inbox;
}

/** A file in which events wait: one, unless more are wanted. */
async function fileWithEvent(count = 1): Promise<string> {
  const file = temporaryFile();
  const inbox = inboxHere(file, false);
  const served = await serve(inbox);
  for (let id = 1; id <= count; id++) {
    const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
    await ask(served, "/webhooks/socialdata/t", { body });
  }
  return file;
}

const eventOf = async (inbox: ReturnType<typeof inboxHere>) => (await inbox.list()).events[0];

/** Looks for work here until the event is done; answers it, and how often it ran here. */
async function waitedFor(file: string) {
  const other = inboxHere(file);
  let runs = 0;
  other.on("socialdata", "job_finished", () => void (runs += 1));
  await other.start();
  await vi.waitUntil(async () => (await eventOf(other))?.state === "done", patience);
  return { event: await eventOf(other), runs };
}

test("a handler that blocks the event loop for many leases keeps its event, and is named", async () => {
  const file = await fileWithEvent();
  const blockedMs = leaseMs * 4;
  const spin = `const end = Date.now() + ${blockedMs}; while (Date.now() < end);`;
  const blocked = workerProcess(file, 60_000, spin);
  await blocked.says("begins");
  const { event, runs } = await waitedFor(file);
  expect(runs).toBe(0);
  expect(event).toMatchObject({ attempts: 1, crashes: 0 });
  await blocked.says("loop_blocked");
});

test("so does one at its second attempt, which began in the moment the first one was settled", async () => {
  const file = await fileWithEvent();
  const handler = `
    if (ctx.attempt === 1) return retry({ afterMs: 0 });
    await null;
    console.log("blocks");
    const end = Date.now() + ${leaseMs * 4};
    while (Date.now() < end);`;
  const blocked = workerProcess(file, 60_000, handler);
  await blocked.says("blocks");
  const { event, runs } = await waitedFor(file);
  expect(runs).toBe(0);
  expect(event).toMatchObject({ attempts: 2, crashes: 0 });
});

test("a handler that never gives the event loop back loses its event after its deadline", async () => {
  const file = await fileWithEvent();
  const timeoutMs = 3000;
  const looping = workerProcess(file, timeoutMs, "for (;;);");
  await looping.says("begins");
  const began = Date.now();
  const other = inboxHere(file);
  let takenOverAt = 0;
  other.on("socialdata", "job_finished", () => void (takenOverAt = Date.now()));
  await other.start();
  await vi.waitUntil(async () => (await eventOf(other))?.state === "done", patience);
  expect(await eventOf(other)).toMatchObject({ attempts: 2, crashes: 1 });
  expect(takenOverAt - began).toBeGreaterThan(timeoutMs - leaseMs);
});

test("an event that hangs three workers is dead, and the fourth goes on with its work", async () => {
  const file = await fileWithEvent();
  for (let n = 0; n < 3; n++) await workerProcess(file, 100, "for (;;);").says("begins");
  const last = inboxHere(file);
  last.on("socialdata", "job_finished", () => expect.unreachable());
  void last.idle();
  await vi.waitUntil(async () => (await eventOf(last))?.state === "dead", patience);
  expect(await eventOf(last)).toMatchObject({ reason: "poison", attempts: 4, crashes: 3 });
});

test("what many were in hand at one death runs together afterwards, and what was there twice one by one", async () => {
  const count = 6;
  const file = await fileWithEvent(count);
  const hang = "console.log(`begins ${event.id}`); await new Promise(() => undefined);";
  for (let deaths = 1; deaths <= 2; deaths++) {
    const dying = workerProcess(file, 60_000, hang);
    // All at once: none of them ends.
    for (let id = 1; id <= count; id++) await dying.says(`begins job:${id}:error`);
    dying.child.kill("SIGKILL");
    await once(dying.child, "exit");
  }
  const last = inboxHere(file);
  let running = 0;
  let most = 0;
  last.on("socialdata", "job_finished", async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  });
  void last.idle();
  const all = async () => (await last.list()).events;
  await vi.waitUntil(async () => (await all()).every(({ state }) => state === "done"), patience);
  expect(most).toBe(1);
  const events = await all();
  expect(events.filter(({ state, crashes }) => state !== "done" || crashes !== 2)).toEqual([]);
});

describe("a zombie, which sleeps through its lease and goes on", () => {
  for (let n = 1; n <= 5; n++) {
    test(`changes nothing with ctx.transaction (${n})`, async () => {
      const file = await fileWithEvent();
      const go = `${file}.go`;
      const database = new DatabaseSync(file);
      database.exec("CREATE TABLE effects (who TEXT NOT NULL)");
      const zombie = workerProcess(
        file,
        60_000,
        `while (!existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 5));
         await ctx.transaction((db) => db.exec("INSERT INTO effects VALUES ('zombie')")).catch((error) => {
           console.log(error.code);
           throw error;
         });`,
      );
      await zombie.says("begins");
      zombie.child.kill("SIGSTOP");
      const other = inboxHere(file);
      other.on("socialdata", "job_finished", async (_, { transaction }) => {
        await transaction((db) => db.exec("INSERT INTO effects VALUES ('other')"));
      });
      await other.start();
      await vi.waitUntil(async () => (await eventOf(other))?.state === "done", patience);
      writeFileSync(go, "");
      zombie.child.kill("SIGCONT");
      await zombie.says("CLAIM_LOST");
      await zombie.says("fenced");
      const effects = database.prepare("SELECT who FROM effects").all();
      expect(effects.map((row) => row["who"])).toEqual(["other"]);
      expect(await eventOf(other)).toMatchObject({ state: "done", attempts: 2, crashes: 1 });
      database.close();
      zombie.child.kill("SIGKILL");
      await once(zombie.child, "exit");
    });
  }
});
