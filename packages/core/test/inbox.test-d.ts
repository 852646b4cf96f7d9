import { createInbox, type EventOf, type Schema } from "@webhook-inbox/core";
import { inboxFrom } from "@webhook-inbox/core/defaults";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite, type SqliteClient } from "@webhook-inbox/core/sqlite";
import { audata, type AudataListener } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData, type SocialDataJob } from "@webhook-inbox/core/providers/socialdata";
import type { SQLOutputValue } from "node:sqlite";
import { expectTypeOf, test } from "vitest";

declare const show: Schema<{ readonly title: string }>;

const sources = {
  socialdata: socialData({ token: process.env.TOKEN }),
  audata: audata({ token: ["a", "b"], events: { "Show.updated": show } }),
  "captain-data": captainData({ bearer: process.env.TOKEN, headers: { "x-key": "v" } }),
};
const inbox = createInbox({ store: memory(), sources });

test("data has the type of its event, without a cast", () => {
  inbox.on("socialdata", "job_finished", ({ data, type }) => {
    expectTypeOf(type).toEqualTypeOf<"job_finished">();
    expectTypeOf(data).toEqualTypeOf<SocialDataJob>();
    if (data.status === "success") expectTypeOf(data.result.datafile_url).toEqualTypeOf<string>();
    if (data.status === "error")
      expectTypeOf(data.message).toEqualTypeOf<string | null | undefined>();
  });
  inbox.on("audata", "Listener.updated", { name: "x", timeoutMs: 5 }, ({ data }, ctx) => {
    expectTypeOf(data.sender).toEqualTypeOf<AudataListener>();
    expectTypeOf(data.sender.email).toEqualTypeOf<string | null | undefined>();
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
  });
  inbox.on("captain-data", "job.failed", ({ data }) => {
    expectTypeOf(data.job_uid).toEqualTypeOf<string>();
  });
});

test("a type of one's own has the type of its schema", () => {
  inbox.on("audata", "Show.updated", ({ data }) => {
    expectTypeOf(data).toEqualTypeOf<{ readonly title: string }>();
  });
});

test("a handler for every type has data of any kind", () => {
  inbox.on("audata", "*", ({ type, data }) => {
    expectTypeOf(type).toEqualTypeOf<string>();
    expectTypeOf(data).toEqualTypeOf<unknown>();
  });
});

test("handlers in the options are typed alike", () => {
  createInbox({
    store: memory(),
    sources,
    handlers: {
      socialdata: { job_finished: ({ data }) => expectTypeOf(data).toEqualTypeOf<SocialDataJob>() },
      audata: { "*": ({ data }) => expectTypeOf(data).toEqualTypeOf<unknown>() },
    },
  });
  inboxFrom({
    handlers: {
      audata: {
        "Listener.updated": ({ data }) => expectTypeOf(data.sender).toEqualTypeOf<AudataListener>(),
      },
    },
  });
});

test("ctx.transaction is what the store has", () => {
  const onSqlite = createInbox({
    store: sqlite("x.sqlite"),
    sources,
    handlers: {
      socialdata: {
        job_finished: async (_, { transaction }) => {
          expectTypeOf(await transaction(() => 1)).toEqualTypeOf<number>();
        },
      },
    },
  });
  onSqlite.on("audata", "*", async (_, { transaction }) => {
    const row = await transaction((database) => {
      expectTypeOf(database).toEqualTypeOf<SqliteClient>();
      return { id: database.prepare("SELECT 1").get() };
    });
    expectTypeOf(row.id).toEqualTypeOf<Record<string, SQLOutputValue> | undefined>();
    await transaction(() => {
      throw new Error("undone");
    });
    await transaction(() => JSON.parse("1"));
    // @ts-expect-error it must not be async
    await transaction(async () => 1);
  });
  inbox.on("audata", "*", (_, ctx) => {
    expectTypeOf(ctx.transaction).toEqualTypeOf<undefined>();
  });
  inboxFrom({ store: sqlite("x.sqlite") }).on("audata", "*", async (_, ctx) => {
    await ctx.transaction(() => undefined);
  });
});

test("an event's type can be named", () => {
  expectTypeOf<
    EventOf<typeof sources, "socialdata", "job_finished">["data"]
  >().toEqualTypeOf<SocialDataJob>();
  expectTypeOf<EventOf<typeof sources, "audata", "*">["data"]>().toEqualTypeOf<unknown>();
});

test("what does not exist does not compile", () => {
  // @ts-expect-error there is no such source
  inbox.on("stripe", "*", () => undefined);
  // @ts-expect-error there is no such type
  inbox.on("audata", "Listner.updated", () => undefined);
  // @ts-expect-error SocialData sends no bearer token
  socialData({ bearer: "t" });
  // @ts-expect-error there is no such option
  createInbox({ store: memory(), sources, stores: 1 });
  // @ts-expect-error an intervention by filter names a state
  void inbox.erase({ source: "audata" });
  // @ts-expect-error there is no such policy
  createInbox({ store: memory(), sources, onInvalid: "ignore" });
  // @ts-expect-error there is no such handler
  createInbox({ store: memory(), sources, handlers: { audata: { "Listner.updated": () => 1 } } });
});
