import { describe, expect, test, vi } from "vitest";
import { createInbox, eventKey, WebhookInboxError, type EventRecord } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { dirname, join } from "node:path";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { run } from "../src/run.ts";
import { command, placesOf, service, terminal } from "./desk.ts";

const { SQLite } = placesOf;
const jsonLines = (text: string): readonly unknown[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);

describe("a handler broke", () => {
  test.each(Object.entries(placesOf))(
    "the dead events are found, understood, replayed and seen done, beside the service on %s",
    async (_, placeOf) => {
      const shop = await service(placeOf());
      await shop.finish(3);
      const store = ["--store", shop.url];

      const found = await command(["list", "--state", "dead", ...store]);
      expect(found).toMatchObject({ code: 0, err: "" });
      expect(found.out).toMatch(/^RECEIVED .*\n(.* dead \(exhausted\) +1 {2}job:\d:error\n){3}$/);

      const [key = ""] = /[0-9A-Z]{26}/.exec(found.out) ?? [];
      const shown = await command(["show", key, ...store]);
      expect(shown.out).toContain("Error: the CRM answered 500 for job:3:error");
      expect(shown.out).toContain('"job_id": 3');
      expect(shown.out).toContain('"message": "***"');

      shop.mend();
      const why = ["--why", "the CRM is back", "--by", "ada"];
      const dry = await command(["replay", "--state", "dead", "--dry-run", ...store]);
      expect(dry.out).toBe("3 events would be replayed.\n");
      const replayed = await command(["replay", "--state", "dead", ...why, ...store]);
      expect(replayed).toMatchObject({ code: 0, out: "3 events replayed.\n", err: "" });

      await vi.waitUntil(() => shop.handled.length === 3, 10_000);
      await shop.inbox.idle();
      expect((await command(["show", key, ...store])).out).toContain(
        "replay by ada: the CRM is back",
      );
      expect((await command(["stats", ...store])).out.split("\n").slice(0, 2)).toEqual([
        expect.stringMatching(/^SOURCE +TYPE +TAKEN +DUPLICATES +DONE$/),
        expect.stringMatching(/^socialdata +job_finished +3 +0 +3$/),
      ]);
      const audited = await command(["audit", "--json", ...store]);
      expect(audited.code).toBe(0);
      expect(JSON.parse(audited.out)).toMatchObject({ taken: 3, missing: 0, isBalanced: true });
    },
  );
});

describe("what it selects", () => {
  test("events by source, type, state, reason and time, and a page of them", async () => {
    const shop = await service(SQLite());
    await shop.finish(5);
    await shop.call("event=Prize.created&webhookCallId=1");
    await shop.inbox.idle();
    const listed = async (...args: readonly string[]): Promise<readonly string[]> => {
      const { out } = await command(["list", "--json", "--store", shop.url, ...args]);
      return (jsonLines(out) as readonly EventRecord[]).map(({ id }) => id);
    };
    expect(await listed("--source", "audata")).toEqual(["1"]);
    expect(await listed("--type", "job_finished")).toHaveLength(5);
    expect(await listed("--state", "unhandled")).toEqual(["1"]);
    expect(await listed("--reason", "exhausted", "--limit", "2")).toEqual([
      "job:5:error",
      "job:4:error",
    ]);
    expect(await listed("--since", "1h")).toHaveLength(6);
    expect(await listed("--until", "1h")).toEqual([]);
    expect(await listed("--since", "2020-01-01", "--until", "2020-01-02T00:00Z")).toEqual([]);
    const some = await command(["list", "--limit", "2", "--store", shop.url]);
    expect(some.err).toBe("There are more: --limit 20\n");
    const none = await command(["list", "--source", "nobody", "--store", shop.url]);
    expect(none).toMatchObject({ code: 0, out: "", err: "No events.\n" });
  });

  test("acts on keys, and leaves what is in another state", async () => {
    const shop = await service(SQLite());
    await shop.finish(2);
    const [first, second] = (await shop.inbox.list()).events.map(({ key }) => key) as [
      string,
      string,
    ];
    const store = ["--store", shop.url];
    expect((await command(["cancel", first, ...store])).out).toBe("1 event cancelled.\n");
    expect((await command(["cancel", first, second, "--json", ...store])).out).toBe(
      `${JSON.stringify({ act: "cancel", dryRun: false, count: 1, keys: [second] })}\n`,
    );
    expect((await command(["cancel", first, ...store])).code).toBe(3);
    const erased = await command(["erase", first, "--yes", ...store]);
    expect(erased.out).toBe("1 event erased.\n");
    const gone = await command(["show", first, ...store]);
    expect(gone.out).toContain("Its delivery was forgotten or erased.");
    expect((await command(["show", first, "--raw", ...store])).code).toBe(3);
  });
});

test("erases what only the spill has, and counts it", async () => {
  const file = temporaryFile();
  const away = wrapped(sqlite(file), {
    take: () => Promise.reject(new WebhookInboxError("STORE_UNAVAILABLE", "away.")),
  });
  const inbox = createInbox({
    store: away,
    spill: sqlite(`${file}.spill`),
    sources: { jobs: socialData({ token: "t" }) },
    logger: false,
    work: false,
  });
  const body = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
  expect((await ask(await serve(inbox), "/webhooks/jobs/t", { body })).status).toBe(200);
  await inbox.close();
  const args = [
    eventKey("jobs", "job:1:error"),
    "--inbox",
    join(import.meta.dirname, "fixtures/spilled.ts"),
  ];
  const env = { DATABASE: file, TOKEN: "t" };
  const dry = await command(["erase", ...args, "--dry-run"], { env });
  expect(dry).toMatchObject({ code: 0, out: "1 delivery in the spill would be erased.\n" });
  const erased = await command(["erase", ...args, "--yes"], { env });
  expect(erased).toMatchObject({ code: 0, out: "1 delivery in the spill erased.\n" });
  expect((await command(["erase", ...args, "--yes"], { env })).code).toBe(3);
});

describe("hostile content", () => {
  const evil = "\u001B]0;owned\u0007\r\n\u202Eevil\u0000\u009B31m日本";

  test("steers no terminal: it stands as escapes, in every command", async () => {
    const shop = await service(SQLite());
    await shop.finish(1, evil);
    await shop.call(`event=Listener.updated&webhookCallId=${encodeURIComponent(evil)}`);
    await shop.call(`event=${encodeURIComponent(evil)}&webhookCallId=2`);
    await shop.inbox.idle();
    const { events } = await shop.inbox.list();
    const commands = [
      ["list"],
      ["stats"],
      ...events.map(({ key }) => ["show", key]),
      ["list", "--json"],
    ];
    for (const args of commands) {
      const { out, code } = await command([...args, "--store", shop.url]);
      expect(code).toBe(0);
      // oxlint-disable-next-line no-control-regex -- what must not be there
      expect(out, args.join(" ")).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/);
    }
    const listed = await command(["list", "--store", shop.url]);
    expect(listed.out).toContain("\\u{1b}]0;owned\\u{7}\\u{d}\\u{a}\\u{202e}evil");
  });

  test("comes as it is only into a pipe", async () => {
    const shop = await service(SQLite());
    await shop.finish(1, evil);
    const key = (await shop.inbox.list()).events[0]?.key ?? "";
    const { bytes } = await command(["show", key, "--raw", "--store", shop.url]);
    expect(bytes).toEqual(Buffer.from((await shop.inbox.get(key))?.delivery?.body ?? []));
    const screen = terminal();
    expect(await run(["show", key, "--raw", "--store", shop.url], screen.console)).toBe(4);
    expect(screen.written.out).toBe("");
  });
});

describe("many events", () => {
  test("are changed only when a person has typed their number, with progress meanwhile", async () => {
    const shop = await service(SQLite());
    await shop.finish(101);
    const args = ["replay", "--state", "dead", "--store", shop.url];
    const piped = await command(args);
    expect(piped).toMatchObject({ code: 4, out: "" });
    expect(piped.err).toBe(
      "this would replay 101 events. Add --yes, or look first with --dry-run.\n",
    );

    const hasty = terminal(() => "yes");
    expect(await run(args, hasty.console)).toBe(4);
    expect(hasty.questions).toEqual(["This will replay 101 events. Type 101 to go on: "]);
    expect((await shop.inbox.list({ state: "dead" })).events).toHaveLength(100);

    shop.mend();
    const sure = terminal(() => "101");
    expect(await run(args, sure.console)).toBe(0);
    expect(sure.written.out).toBe("101 events replayed.\n");
    expect(sure.written.err).toMatch(/\r█{40} 101 of 101, \d+ a second.{3}\n$/);
    await vi.waitUntil(() => shop.handled.length === 101, 10_000);
  });

  test("erasing asks whatever the number is", async () => {
    const shop = await service(SQLite());
    await shop.finish(1);
    const args = ["erase", "--state", "dead", "--store", shop.url];
    expect((await command(args)).err).toContain("This cannot be undone.");
    const screen = terminal(() => "1");
    expect(await run(args, screen.console)).toBe(0);
    expect(screen.questions).toEqual([
      "This will erase 1 event. This cannot be undone. Type 1 to go on: ",
    ]);
  });

  test("a replay that is stopped says so, and the same command goes on", async () => {
    const shop = await service(SQLite());
    await shop.finish(60);
    const args = ["replay", "--state", "dead", "--per-second", "20", "--store", shop.url];
    const screen = terminal();
    const running = run(args, screen.console);
    await vi.waitUntil(() => screen.written.err.includes(" of 60"), 10_000);
    screen.stop();
    expect(await running).toBe(1);
    expect(screen.written.err).toMatch(/stopped after \d+ of 60: the same command goes on\.\n$/);
    shop.mend();
    expect((await command(["replay", "--state", "dead", "--store", shop.url])).code).toBe(0);
    await vi.waitUntil(() => shop.handled.length > 0, 10_000);
  });
});

test("tail prints what comes in, and nothing else, until it is stopped", async () => {
  const shop = await service(SQLite());
  await shop.finish(1);
  const screen = terminal();
  const running = run(["tail", "--source", "audata", "--store", shop.url], screen.console);
  for (const id of ["a", "b"]) {
    await vi.waitUntil(async () => {
      await shop.call(`event=Prize.created&webhookCallId=${id}`);
      return screen.written.out.includes(`  ${id}\n`);
    }, 10_000);
  }
  screen.stop();
  expect(await running).toBe(0);
  expect(screen.written.out.split("\n").filter((line) => line.endsWith("  a"))).toHaveLength(1);
  expect(screen.written.out).not.toContain("job_finished");
});

test("with the user's own inbox it knows the sources: refused deliveries are verified again", async () => {
  const database = temporaryFile();
  const wrong = createInbox({
    store: sqlite(database),
    sources: { jobs: socialData({ token: "misspelt" }) },
    logger: false,
  });
  const served = await serve(wrong);
  const body = '{"event":"job_finished","data":{"job_id":7,"status":"success"}}';
  expect((await ask(served, "/webhooks/jobs/t0ken", { body })).status).toBe(401);
  await wrong.close();
  const own = ["--inbox", join(import.meta.dirname, "fixtures/inbox.ts")];
  const env = { DATABASE: database, TOKEN: "t0ken" };
  const dry = await command(["verify-again", "--dry-run", ...own], { env });
  expect(dry).toMatchObject({ code: 0, out: "1 delivery was authentic, and would be handled.\n" });
  const still = await command(["verify-again", ...own], { env: { ...env, TOKEN: "other" } });
  expect(still.out).toBe("0 deliveries were authentic. Refused still: 1 mismatch.\n");
  const done = await command(["verify-again", "--json", ...own], { env });
  expect(JSON.parse(done.out)).toEqual({ act: "verify", dryRun: false, count: 1, refused: {} });
  const listed = await command(["list", ...own], { env });
  expect(listed.out).toContain(" pending ");
});

describe("upkeep", () => {
  test.each(Object.entries(placesOf))(
    "prune forgets what is over and old, and nothing else, on %s",
    async (_, placeOf) => {
      const shop = await service(placeOf());
      await shop.finish(1);
      shop.mend();
      await shop.call("event=Prize.created&webhookCallId=1");
      await shop.inbox.idle();
      const pruned = async (...ages: readonly string[]): Promise<unknown> => {
        const { out } = await command(["prune", ...ages, "--yes", "--json", "--store", shop.url]);
        return JSON.parse(out);
      };
      expect(await pruned("--payloads", "30d", "--keys", "90d")).toEqual({ payloads: 0, keys: 0 });
      expect(await pruned("--payloads", "0s", "--keys", "90d")).toEqual({ payloads: 1, keys: 0 });
      expect(await pruned("--payloads", "0s", "--keys", "0s")).toEqual({ payloads: 0, keys: 1 });
      expect((await shop.inbox.list()).events).toMatchObject([{ state: "dead" }]);
      const ages = ["--payloads", "30d", "--keys", "1d"];
      expect((await command(["prune", ...ages, "--store", shop.url])).code).toBe(2);
      const unsaid = ["prune", "--payloads", "0s", "--keys", "0s", "--store", shop.url];
      expect((await command(unsaid)).code).toBe(4);
      expect((await command(["prune", "--store", shop.url])).err).toContain("--payloads <age>");
    },
  );

  test.each([
    ["PostgreSQL", /^CREATE TABLE "\w+"."events"/m],
    ["MySQL", /^CREATE TABLE IF NOT EXISTS \w+_events/m],
  ] as const)(
    "migrate says of what version the tables are, makes them, and prints how, on %s",
    async (kind, printed) => {
      const store = ["--store", placesOf[kind]().url];
      const before = await command(["migrate", "status", ...store]);
      expect(before).toMatchObject({ code: 5, out: "" });
      expect(before.err).toContain("of version 0");
      expect((await command(["list", ...store])).code).toBe(5);
      expect((await command(["migrate", "sql", ...store])).out).toMatch(printed);
      expect((await command(["migrate", "up", ...store])).out).toBe(
        "The tables are of this version now.\n",
      );
      expect((await command(["migrate", "status", ...store])).code).toBe(0);
      expect((await command(["list", ...store])).err).toBe("No events.\n");
      expect((await command(["migrate", "up", "--store", "sqlite:x"])).code).toBe(2);
    },
  );
});

describe("how it ends", () => {
  const fixtures = join(import.meta.dirname, "fixtures");
  const wrong: readonly (readonly [code: number, says: RegExp, args: readonly string[]])[] = [
    [2, /which store\? Give --store/, ["list"]],
    [2, /unknown command 'lst'/, ["lst"]],
    [2, /unknown option '--stat'/, ["list", "--stat", "dead"]],
    [2, /Allowed choices are pending/, ["list", "--state", "ded"]],
    [2, /A time is 30min/, ["list", "--since", "yesterday"]],
    [2, /a whole number/, ["list", "--limit", "0"]],
    [2, /which events\? Give keys/, ["replay", "--store", "sqlite:x"]],
    [2, /not both/, ["replay", "KEY", "--state", "dead", "--store", "sqlite:x"]],
    [2, /needs your sources/, ["verify-again", "--store", "sqlite:x"]],
    [2, /name two inboxes/, ["list", "--store", "sqlite:x", "--inbox", "x.ts"]],
    [2, /cannot be imported: .*no database/, ["list", "--inbox", join(fixtures, "broken.ts")]],
    [2, /has no inbox among its exports/, ["list", "--inbox", join(fixtures, "no-inbox.ts")]],
    [2, /--inbox <module>/, ["doctor", "--url", "http://localhost", "--store", "sqlite:x"]],
    [2, /begins with http:/, ["doctor", "--url", "localhost:3000", "--inbox", "x.ts"]],
    [2, /begins with http:/, ["sandbox", "--tunnel", "localhost:3000"]],
    [3, /there is no file "nowhere\.ts"/, ["list", "--inbox", "nowhere.ts"]],
    [2, /named by a URL.*not by "mongodb:"/, ["list", "--store", "mongodb://localhost"]],
    [5, /MySQL cannot be used now/, ["list", "--store", "mysql://127.0.0.1:1/x"]],
    [3, /there is no file "nowhere\.sqlite"/, ["list", "--store", "sqlite:nowhere.sqlite"]],
    [5, /PostgreSQL cannot be used now/, ["list", "--store", "postgres://127.0.0.1:1/x"]],
    [5, /Redis cannot be used now/, ["list", "--store", "redis://127.0.0.1:1"]],
  ];
  test.each(wrong)("%i, with a word that helps: %s", async (code, says, args) => {
    const ended = await command(args, { cwd: dirname(temporaryFile()) });
    expect(ended.err).toMatch(says);
    expect(ended).toMatchObject({ code, out: "" });
    // It says what to do, and not where in the code it was.
    expect(ended.err).not.toMatch(/\n\s+at /);
  });

  test("3 for a key that nobody has, and 0 for help and version", async () => {
    const { url } = await service(SQLite());
    expect((await command(["show", "NOBODY", "--store", url])).code).toBe(3);
    expect((await command(["replay", "NOBODY", "--store", url])).code).toBe(3);
    const help = await command(["--help"]);
    expect(help.code).toBe(0);
    expect(help.out).toContain("Exit codes: 0 done");
    expect((await command(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("at once, also when the module of the inbox listens and lets timers run", async () => {
    const env = { DATABASE: temporaryFile() };
    const ended = await command(["stats", "--inbox", join(fixtures, "listening.ts")], { env });
    expect(ended).toMatchObject({ code: 0, out: "", err: "No events.\n" });
  });

  test("the store may be named by the environment, or be the file that webhooks() makes", async () => {
    const file = temporaryFile("webhooks.sqlite");
    const shop = await service({ url: "", store: sqlite(file) });
    await shop.finish(1);
    const env = { WEBHOOK_INBOX_STORE: `sqlite:${file}` };
    expect((await command(["list"], { env })).out).toContain("job:1:error");
    expect((await command(["list"], { cwd: dirname(file) })).out).toContain("job:1:error");
  });
});
