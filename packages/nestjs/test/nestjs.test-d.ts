import {
  createInbox,
  type EventOf,
  type HandlerContext,
  type Inbox,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite, type SqliteTransaction } from "@webhook-inbox/core/sqlite";
import { OnWebhook, WebhooksModule } from "@webhook-inbox/nestjs";
import { test } from "vitest";

const sources = {
  audata: audata({ token: process.env["TOKEN"] }),
  jobs: socialData({ token: process.env["TOKEN"] }),
};
const partners = createInbox({
  store: sqlite("partners.sqlite"),
  sources: { audata: audata({ token: process.env["TOKEN"] }) },
});

declare module "@webhook-inbox/nestjs" {
  interface Register {
    inbox: Inbox<typeof sources>;
    partners: typeof partners;
  }
}

type Updated = EventOf<typeof sources, "audata", "Listener.updated">;

test("names that exist, and parameters that fit, compile", () => {
  class Service {
    @OnWebhook("audata", "Listener.updated")
    plain() {}

    @OnWebhook("audata", "Listener.updated", { name: "crm", timeoutMs: 5 })
    typed({ data }: Updated, ctx: HandlerContext) {
      return [data.sender.email, ctx.attempt];
    }

    @OnWebhook("jobs", "*")
    async all(event: WebhookEvent) {
      return event.data;
    }

    @OnWebhook("audata", "Prize.created", { inbox: "partners" })
    async partner(_: WebhookEvent, { transaction }: HandlerContext<SqliteTransaction>) {
      await transaction(() => 1);
    }
  }
  return Service;
});

test("names that do not exist, and parameters that do not fit, do not compile", () => {
  class Service {
    // @ts-expect-error there is no such source
    @OnWebhook("stripe", "*")
    source() {}

    // @ts-expect-error there is no such type
    @OnWebhook("audata", "Listner.updated")
    type() {}

    // @ts-expect-error there is no such inbox
    @OnWebhook("audata", "*", { inbox: "billing" })
    inbox() {}

    // @ts-expect-error the source is the other inbox's
    @OnWebhook("jobs", "*", { inbox: "partners" })
    other() {}

    // @ts-expect-error it is another type's event
    @OnWebhook("jobs", "job_finished")
    event({ data }: Updated) {
      return data;
    }

    // @ts-expect-error this inbox's store is not SQLite
    @OnWebhook("audata", "Listener.updated")
    transaction(_: Updated, ctx: HandlerContext<SqliteTransaction>) {
      return ctx;
    }
  }
  return Service;
});

test("forRoot is typed as createInbox is", () => {
  WebhooksModule.forRoot();
  WebhooksModule.forRoot({ inbox: partners, name: "partners" });
  WebhooksModule.forRoot({
    store: memory(),
    sources,
    handlers: { audata: { "Listener.updated": ({ data }) => data.sender.email } },
  });
  // @ts-expect-error there is no such option
  WebhooksModule.forRoot({ store: memory(), sources, stores: 1 });
  // @ts-expect-error there is no such type
  WebhooksModule.forRoot({ store: memory(), sources, handlers: { audata: { nothing: () => 1 } } });
  WebhooksModule.forRootAsync({
    inject: ["config"],
    useFactory: (config: { readonly token: string }) => ({
      store: memory(),
      sources: { audata: audata({ token: config.token }) },
    }),
  });
});
