/** From the start to the shutdown, in tests and under `@nestjs/terminus`. */

import { Controller, Get, Inject, Injectable, Module, type OnModuleDestroy } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { HealthCheckService, TerminusModule } from "@nestjs/terminus";
import { Test } from "@nestjs/testing";
import {
  createInbox,
  WebhookInboxError,
  type HandlerContext,
  type Inbox,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import {
  getInboxToken,
  inboxHealth,
  InjectInbox,
  OnWebhook,
  WebhooksModule,
} from "@webhook-inbox/nestjs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { wrapped } from "../../../tests/support/wrapped.ts";
import {
  calls,
  created,
  deliver,
  listener,
  listening,
  newOptions,
  root,
  type Say,
} from "./support.ts";

describe("its life", () => {
  test("what handlers need is destroyed only after they have ended", async () => {
    const life: string[] = [];
    let finish: (() => void) | undefined;

    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy() {
        life.push("database destroyed");
      }
    }
    @Injectable()
    class Service {
      constructor(@Inject(Database) readonly database: Database) {}

      @OnWebhook("audata", "Listener.updated")
      async update(_: WebhookEvent, { signal }: HandlerContext) {
        signal.addEventListener("abort", () => life.push("handler told"));
        await new Promise<void>((resolve) => (finish = resolve));
        life.push("handler ended");
      }
    }
    const app = await created(root([Database, Service]));
    await deliver(await listening(app));
    await vi.waitUntil(() => finish !== undefined);
    const closing = app.close();
    await vi.waitUntil(() => life.includes("handler told"));
    finish?.();
    await closing;
    expect(life).toEqual(["handler told", "handler ended", "database destroyed"]);
    expect(app.get<Inbox>(getInboxToken()).isReady).toBe(false);
  });

  test("at its end it goes on receiving for as long as it was told", async () => {
    const module = WebhooksModule.forRoot({ ...newOptions(), close: { receiveMs: 500 } });
    const app = await created(root([], [module]));
    const url = await listening(app);
    const closing = app.close();
    await vi.waitUntil(() => !app.get<Inbox>(getInboxToken()).isReady);
    expect(await deliver(url)).toBe(200);
    await closing;
  });

  test("an application without a server works on what others receive", async () => {
    const { seen, provider } = calls();
    @Injectable()
    class Service {
      constructor(@Inject("calls") private readonly say: Say) {}

      @OnWebhook("audata", "Listener.updated")
      update({ id }: WebhookEvent) {
        this.say(id);
      }
    }
    const inbox = createInbox(newOptions());
    const answer = await inbox.fetch(new Request(`http://x.test/webhooks/audata/t?${listener(1)}`));
    expect(answer.status).toBe(200);
    expect(seen).toEqual([]);
    const other = createInbox(newOptions());
    const context = await NestFactory.createApplicationContext(
      root([Service, provider], [WebhooksModule.forRoot({ inbox: other })]),
      { logger: false },
    );
    await other.fetch(new Request(`http://x.test/webhooks/audata/t?${listener(2)}`));
    await other.idle();
    expect(seen).toEqual(["2"]);
    await context.close();
    await inbox.close();
  });

  test("a store that is away does not keep the application from starting", async () => {
    let isAway = true;
    const inner = memory({ acceptLoss: true });
    const store = wrapped(inner, {
      open: async (needs) => {
        if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away");
        await inner.open(needs);
      },
    });
    const app = await created(root([], [WebhooksModule.forRoot({ ...newOptions(), store })]));
    const url = await listening(app);
    expect(await deliver(url)).toBe(503);
    isAway = false;
    await vi.waitUntil(() => app.get<Inbox>(getInboxToken()).isReady, { timeout: 5000 });
    expect(await deliver(url)).toBe(200);
  });

  test("a store that cannot be used does", async () => {
    const store = wrapped(memory({ acceptLoss: true }), {
      open: () => Promise.reject(new WebhookInboxError("STORE_INCOMPATIBLE", "of another version")),
    });
    const app = await created(root([], [WebhooksModule.forRoot({ ...newOptions(), store })]));
    await expect(app.init()).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  });
});

test("@nestjs/testing: the module works, and the inbox may be another one", async () => {
  const inbox = createInbox(newOptions());
  const { seen, provider } = calls();
  @Injectable()
  class Service {
    constructor(@Inject("calls") private readonly say: Say) {}

    @OnWebhook("audata", "Listener.updated")
    update({ id }: WebhookEvent) {
      this.say(id);
    }
  }
  const module = root(
    [Service, provider],
    [WebhooksModule.forRoot({ ...newOptions(), path: "/x" })],
  );
  const testing = await Test.createTestingModule({ imports: [module] })
    .overrideProvider(getInboxToken())
    .useValue(inbox)
    .compile();
  const app = testing.createNestApplication();
  onTestFinished(() => app.close());
  app.useLogger(false);
  app.setGlobalPrefix("api");
  expect(await deliver(await listening(app), 3, "/api/webhooks")).toBe(200);
  await inbox.idle();
  expect(seen).toEqual(["3"]);
});

test("@nestjs/terminus: health is up while the inbox is ready", async () => {
  @Controller("health")
  class Health {
    constructor(
      @Inject(HealthCheckService) private readonly health: HealthCheckService,
      @InjectInbox() private readonly inbox: Inbox,
    ) {}

    @Get()
    check() {
      return this.health.check([() => inboxHealth("webhooks", this.inbox)]);
    }
  }
  @Module({
    imports: [TerminusModule, WebhooksModule.forRoot(newOptions())],
    controllers: [Health],
  })
  class AppModule {}

  const app = await created(AppModule);
  const url = await listening(app);
  const up = await fetch(`${url}/health`);
  expect([up.status, await up.json()]).toMatchObject([
    200,
    { info: { webhooks: { status: "up" } } },
  ]);
  await app.get<Inbox>(getInboxToken()).close();
  const down = await fetch(`${url}/health`);
  expect([down.status, await down.json()]).toMatchObject([
    503,
    { error: { webhooks: { status: "down" } } },
  ]);
});
