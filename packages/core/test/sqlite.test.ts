import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { renameSync, rmSync, symlinkSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createInbox, systemClock } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const context = { clock: systemClock };

/** Runs a module text in a process of its own, and waits for what it says first. */
async function child(code: string): Promise<ChildProcess & { readonly said: string }> {
  const spawned = spawn(process.execPath, ["--input-type=module", "-e", code], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void spawned.kill("SIGKILL"));
  const died = once(spawned, "exit").then(() => Promise.reject(new Error("the child ended")));
  const [said] = (await Promise.race([once(spawned.stdout, "data"), died])) as [Buffer];
  died.catch(() => undefined);
  return Object.assign(spawned, { said: said.toString() });
}

describe("a file that could lose events is refused", () => {
  for (const name of [":memory:", "", "file:inbox.sqlite?mode=memory"]) {
    test(`sqlite(${JSON.stringify(name)})`, () => {
      expect(() => sqlite(name)).toThrow(expect.objectContaining({ code: "STORE_LOSSY" }));
    });
  }

  test("settings that do not hold are noticed when they are read back", async () => {
    const exec = DatabaseSync.prototype.exec;
    const spy = vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function weakened(
      this: DatabaseSync,
      sql: string,
    ) {
      exec.call(this, sql.replace("synchronous = FULL", "synchronous = NORMAL"));
    });
    onTestFinished(() => spy.mockRestore());
    const store = sqlite(temporaryFile());
    await expect(store.open(context)).rejects.toMatchObject({
      code: "STORE_LOSSY",
      message: expect.stringContaining("synchronous=1") as string,
    });
  });
});

describe("a file that cannot be used says what to do", () => {
  test("its directory is missing", async () => {
    const opening = sqlite(`${temporaryFile()}/missing/inbox.sqlite`).open(context);
    await expect(opening).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("Its directory is not there: mkdir -p") as string,
    });
  });

  test("it is no database", async () => {
    const file = temporaryFile();
    writeFileSync(file, "this is a text and no database".repeat(100));
    await expect(sqlite(file).open(context)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a later version has changed it", async () => {
    const file = temporaryFile();
    const store = sqlite(file);
    await store.open(context);
    await store.close();
    const database = new DatabaseSync(file);
    database.exec("UPDATE webhook_inbox_meta SET value = 99 WHERE name = 'schema'");
    database.close();
    await expect(sqlite(file).open(context)).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  });

  test("it is not open", async () => {
    await expect(sqlite(temporaryFile()).list({})).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });
});

describe("a file that is taken away while it is open", () => {
  const removed = (file: string): void => {
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
  };
  const moved = (file: string): void => renameSync(file, `${file}.old`);
  const replaced = (file: string): void => {
    writeFileSync(`${file}.new`, "");
    removed(file);
    renameSync(`${file}.new`, file);
  };
  for (const [how, act] of Object.entries({ removed, moved, replaced })) {
    test(`${how}: no 200 is sent for what would go into it, and a new file is used`, async () => {
      const file = temporaryFile();
      const sources = { socialdata: socialData({ token: "t" }) };
      const inbox = createInbox({ store: sqlite(file), sources, work: false, logger: false });
      const served = await serve(inbox);
      const deliver = async (id: number): Promise<number> => {
        const body = JSON.stringify({
          event: "job_finished",
          data: { job_id: id, status: "error" },
        });
        return (await ask(served, "/webhooks/socialdata/t", { body })).status;
      };
      expect(await deliver(1)).toBe(200);
      act(file);
      expect(await deliver(2)).toBe(503);
      expect(await deliver(3)).toBe(200);
      await inbox.close();
      const after = createInbox({ store: sqlite(file), sources, work: false, logger: false });
      expect((await after.list()).events.map(({ id }) => id)).toEqual(["job:3:error"]);
      await after.close();
    });
  }
});

test("a file that was away for a moment is used again, and says meanwhile that it is away", async () => {
  const file = temporaryFile();
  const store = sqlite(file);
  await store.open(context);
  const away = { code: "STORE_UNAVAILABLE" };
  for (const end of ["", "-wal", "-shm"]) renameSync(file + end, `${file}.away${end}`);
  await expect(store.list({})).rejects.toMatchObject(away);
  symlinkSync(file, file);
  await expect(store.list({})).rejects.toMatchObject(away);
  await expect(store.settle([])).rejects.toMatchObject(away);
  rmSync(file);
  for (const end of ["", "-wal", "-shm"]) renameSync(`${file}.away${end}`, file + end);
  expect((await store.list({})).events).toEqual([]);
  await store.close();
});

test("only its owner may read the file", async () => {
  const file = temporaryFile();
  const store = sqlite(file);
  await store.open(context);
  expect(statSync(file).mode & 0o077).toBe(0);
  await store.close();
});

describe("processes that share a file", () => {
  const claiming = (file: string): string => `
    import { sqlite } from "@webhook-inbox/core/sqlite";
    import { eventKey, systemClock as clock } from "@webhook-inbox/core";
    const store = sqlite(${JSON.stringify(file)});
    await store.open({ clock });
    const delivery = { method: "POST", target: "/", headers: [], body: new Uint8Array(), reconstructed: false,
      verifiedWith: "none", receivedAt: 1, contentHash: "x" };
    const event = { key: eventKey("a", "1"), source: "a", id: "1", type: "t", notes: [], copies: 1, delivery, identified: true };
    await store.take([event], { fence: "child/1", leaseMs: 3_600_000, slots: { a: 1 } });
    console.log("claimed");
    setInterval(() => {}, 1000);
  `;
  const claim = {
    fence: "mine",
    leaseMs: 1000,
    slots: { a: 9 },
    suspectsMax: 9,
    crashesMax: 9,
    bytesMax: 1e6,
  };

  test("what a killed process held is due at once, with a crash more", async () => {
    const file = temporaryFile();
    const other = await child(claiming(file));
    other.kill("SIGKILL");
    await once(other, "exit");
    const store = sqlite(file);
    await store.open(context);
    const { claims } = await store.claim(claim);
    expect(claims[0]?.event).toMatchObject({ id: "1", attempts: 2, crashes: 1 });
    await store.close();
  });

  test("what a living process holds is left alone", async () => {
    const file = temporaryFile();
    await child(claiming(file));
    const store = sqlite(file);
    await store.open(context);
    expect((await store.claim(claim)).claims).toEqual([]);
    await store.close();
  });
});

test("many processes may open a new file at the same moment", async () => {
  const file = temporaryFile();
  const code = `
    import { sqlite } from "@webhook-inbox/core/sqlite";
    import { systemClock as clock } from "@webhook-inbox/core";
    const store = sqlite(${JSON.stringify(file)});
    await store.open({ clock });
    console.log((await store.list({})).events.length);
    await store.close();
  `;
  const opened = Array.from({ length: 6 }, () => child(code));
  await expect(Promise.all(opened)).resolves.toHaveLength(6);
});

test("processes that come and go free no claim of the living", async () => {
  const file = temporaryFile();
  const code = `
    import { setTimeout as pause } from "node:timers/promises";
    import { sqlite } from "@webhook-inbox/core/sqlite";
    import { eventKey, systemClock as clock } from "@webhook-inbox/core";
    const delivery = { method: "POST", target: "/", headers: [], body: new Uint8Array(), reconstructed: false,
      verifiedWith: "none", receivedAt: 1, contentHash: "x" };
    let lost = 0;
    for (let n = 0; n < 20; n++) {
      const store = sqlite(${JSON.stringify(file)});
      await store.open({ clock });
      const id = process.pid + "/" + n;
      const key = eventKey("a", id);
      const event = { key, source: "a", id, type: "t", notes: [], copies: 1, delivery, identified: true };
      await store.take([event], { fence: id, leaseMs: 3_600_000, slots: { a: 1 } });
      await pause(Math.random() * 10);
      const end = { key, fence: id, outcome: { state: "done" }, finished: [], gaveUp: [], history: [] };
      const [held] = await store.settle([end]);
      if (!held) lost += 1;
      await store.close();
    }
    console.log(lost);
  `;
  const processes = await Promise.all(Array.from({ length: 4 }, () => child(code)));
  expect(processes.map(({ said }) => said)).toEqual(["0\n", "0\n", "0\n", "0\n"]);
});

describe("a file that another process has locked", () => {
  const locking = (file: string, ms: number): string => `
    import { DatabaseSync } from "node:sqlite";
    const database = new DatabaseSync(${JSON.stringify(file)});
    database.exec("BEGIN IMMEDIATE");
    console.log("locked");
    setTimeout(() => { database.exec("COMMIT"); database.close(); }, ${ms});
  `;

  async function lockedFor(ms: number) {
    const file = temporaryFile();
    const inbox = createInbox({
      store: sqlite(file),
      sources: { socialdata: socialData({ token: "t" }) },
      work: false,
      logger: false,
    });
    const served = await serve(inbox);
    await inbox.start();
    const other = await child(locking(file, ms));
    const deliver = (id: number) => {
      const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
      return ask(served, "/webhooks/socialdata/t", { body });
    };
    return { inbox, other, deliver };
  }

  test("delays the answer, and never the event loop", async () => {
    const { deliver, inbox } = await lockedFor(1000);
    let longestMs = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 1);
    const began = performance.now();
    const answers = await Promise.all([1, 2, 3].map(deliver));
    clearInterval(ticking);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(performance.now() - began).toBeGreaterThan(500);
    // The lock lasts 1,000 ms: waiting inside SQLite would show here, a busy machine does not reach it.
    expect(longestMs).toBeLessThan(400);
    expect((await inbox.list()).events).toHaveLength(3);
  });

  test("for too long is answered 503, and served again once it is free", async () => {
    const { deliver, other } = await lockedFor(3000);
    expect((await deliver(1)).status).toBe(503);
    await once(other, "exit");
    expect((await deliver(1)).status).toBe(200);
  });
});
