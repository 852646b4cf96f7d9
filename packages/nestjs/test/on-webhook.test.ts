import { Controller, Inject, Injectable, Module, Scope } from "@nestjs/common";
import { REQUEST } from "@nestjs/core";
import type { HandlerContext, Inbox, WebhookEvent } from "@webhook-inbox/core";
import { getInboxToken, OnWebhook, WebhooksModule } from "@webhook-inbox/nestjs";
import { describe, expect, test } from "vitest";
import { calls, created, deliver, listening, newOptions, root, type Say } from "./support.ts";

describe("@OnWebhook", () => {
  test("makes handlers of methods, of providers and controllers, with their own `this`", async () => {
    @Injectable()
    class Service {
      constructor(@Inject("calls") private readonly say: Say) {}

      @OnWebhook("audata", "Listener.updated")
      async update({ id }: WebhookEvent, ctx: HandlerContext) {
        this.say(`service ${id} ${ctx.attempt}`);
      }
    }

    @Controller()
    class Desk {
      constructor(@Inject("calls") private readonly say: Say) {}

      @OnWebhook("audata", "*", { name: "desk" })
      all({ type }: WebhookEvent) {
        this.say(`controller ${type}`);
      }
    }

    const { seen, provider } = calls();
    @Module({
      imports: [WebhooksModule.forRoot(newOptions())],
      providers: [Service, provider],
      controllers: [Desk],
    })
    class AppModule {}

    const app = await created(AppModule);
    const url = await listening(app);
    expect(await deliver(url)).toBe(200);
    await app.get<Inbox>(getInboxToken()).idle();
    expect(seen.toSorted()).toEqual(["controller Listener.updated", "service 1 1"]);
  });

  test("may be given several times, holds below other decorators, and is inherited", async () => {
    const Wrapped: MethodDecorator = (_target, _name, descriptor: PropertyDescriptor) => {
      const method = descriptor.value as (...given: unknown[]) => unknown;
      descriptor.value = function wrapper(this: unknown, ...given: unknown[]) {
        return method.apply(this, given);
      };
    };

    class Base {
      @Inject("calls")
      readonly say!: Say;

      @Wrapped
      @OnWebhook("audata", "Listener.updated")
      @OnWebhook("audata", "Listener.created")
      inherited({ type }: WebhookEvent) {
        this.say(`inherited ${type}`);
      }

      @OnWebhook("audata", "Prize.created")
      replaced() {
        this.say("never");
      }
    }

    @Injectable()
    class Service extends Base {
      override replaced() {
        this.say("never");
      }
    }

    const { seen, provider } = calls();
    const app = await created(root([Service, provider]));
    const url = await listening(app);
    for (const type of ["Listener.created", "Listener.updated", "Prize.created"]) {
      await fetch(`${url}/webhooks/audata/t?event=${type}&webhookCallId=${type}`);
    }
    await app.get<Inbox>(getInboxToken()).idle();
    expect(seen.toSorted()).toEqual(["inherited Listener.created", "inherited Listener.updated"]);
  });

  test("gives a provider scoped to requests an instance for each attempt, with the event as its request", async () => {
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Service {
      constructor(
        @Inject("calls") private readonly say: Say,
        @Inject(REQUEST)
        private readonly request: { readonly event: WebhookEvent; readonly ctx: HandlerContext },
      ) {
        made += 1;
      }

      @OnWebhook("audata", "Listener.updated")
      update({ id }: WebhookEvent) {
        this.say(`${id} ${this.request.event.id} ${this.request.ctx.attempt}`);
      }
    }

    const { seen, provider } = calls();
    const app = await created(root([Service, provider]));
    const url = await listening(app);
    await deliver(url, 1);
    await deliver(url, 2);
    await app.get<Inbox>(getInboxToken()).idle();
    expect(seen.toSorted()).toEqual(["1 1 1", "2 2 1"]);
    expect(made).toBe(2);
  });

  test.each([Scope.REQUEST, Scope.TRANSIENT])(
    "runs the provider of its own module, whatever others call theirs (scope %i)",
    async (scope) => {
      @Injectable({ scope })
      class Marked {
        constructor(@Inject("calls") private readonly say: Say) {}

        @OnWebhook("audata", "Listener.updated")
        update() {
          this.say("marked");
        }
      }
      @Injectable({ scope })
      class Other {}

      const { seen, provider } = calls();
      @Module({ providers: [{ provide: "handler", useClass: Other }] })
      class Before {}
      @Module({ providers: [{ provide: "handler", useClass: Marked }, provider] })
      class Own {}
      @Module({ imports: [Before, Own, WebhooksModule.forRoot(newOptions())] })
      class AppModule {}

      const app = await created(AppModule);
      await deliver(await listening(app));
      await app.get<Inbox>(getInboxToken()).idle();
      expect(seen).toEqual(["marked"]);
    },
  );

  test("a controller scoped to requests has an instance for each attempt, too", async () => {
    @Controller({ scope: Scope.REQUEST })
    class Desk {
      constructor(@Inject("calls") private readonly say: Say) {}

      @OnWebhook("audata", "Listener.updated")
      update({ id }: WebhookEvent) {
        this.say(id);
      }
    }
    const { seen, provider } = calls();
    @Module({
      imports: [WebhooksModule.forRoot(newOptions())],
      providers: [provider],
      controllers: [Desk],
    })
    class AppModule {}

    const app = await created(AppModule);
    await deliver(await listening(app));
    await app.get<Inbox>(getInboxToken()).idle();
    expect(seen).toEqual(["1"]);
  });

  test("refuses what is no method of an instance", () => {
    const mark = OnWebhook("audata", "Listener.updated");
    const method = { value: () => undefined };
    const refused = expect.objectContaining({ code: "HANDLER_INVALID" });
    expect(() => mark(class {}, "update", method)).toThrow(refused);
    expect(() => mark({}, Symbol("update"), method)).toThrow(refused);
    expect(() => mark({}, "update", { get: () => () => undefined })).toThrow(refused);
  });

  test("finds the methods of what useClass, useFactory and useValue give, once", async () => {
    class Service {
      constructor(readonly say: Say) {}

      @OnWebhook("audata", "Listener.updated")
      update() {
        this.say("called");
      }
    }
    const { seen, provider } = calls();
    const app = await created(
      root([
        provider,
        { provide: "made", useFactory: (say: Say) => new Service(say), inject: ["calls"] },
        { provide: "alias", useExisting: "made" },
      ]),
    );
    await deliver(await listening(app));
    await app.get<Inbox>(getInboxToken()).idle();
    expect(seen).toEqual(["called"]);
  });

  const mistakes = {
    "an unknown source": [
      "stripe",
      "Listener.updated",
      {},
      /@OnWebhook on Service\.update: there is no source "stripe"/,
    ],
    "an unknown type": ["audata", "Listner.updated", {}, /no event type "Listner.updated"/],
    "an inbox that is none": [
      "audata",
      "*",
      { inbox: "billing" },
      /Service\.update names the inbox "billing", and there is none/,
    ],
  } as const;
  for (const [what, [source, type, options, message]] of Object.entries(mistakes)) {
    test(`refuses ${what} at the start`, async () => {
      @Injectable()
      class Service {
        // As it is where no types are registered, and in JavaScript.
        @OnWebhook(source as "audata", type as "*", options as never)
        update() {}
      }
      const app = await created(root([Service]));
      await expect(app.init()).rejects.toThrow(message);
    });
  }
});
