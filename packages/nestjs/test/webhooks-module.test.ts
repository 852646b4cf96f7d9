import {
  Inject,
  Injectable,
  Module,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type NestInterceptor,
  type PipeTransform,
} from "@nestjs/common";
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from "@nestjs/core";
import { createInbox, type Inbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import {
  getInboxToken,
  InjectInbox,
  OnWebhook,
  WebhooksModule,
  type WebhooksOptionsFactory,
} from "@webhook-inbox/nestjs";
import { describe, expect, test } from "vitest";
import { calls, created, deliver, listening, newOptions, root, type Say } from "./support.ts";

describe("WebhooksModule", () => {
  test("takes an inbox that was made elsewhere", async () => {
    const inbox = createInbox(newOptions());
    const app = await created(root([], [WebhooksModule.forRoot({ inbox })]));
    expect(app.get(getInboxToken())).toBe(inbox);
    expect(await deliver(await listening(app))).toBe(200);
  });

  test("takes several inboxes by name, each at its own path, for every module to inject", async () => {
    @Injectable()
    class Service {
      constructor(
        @InjectInbox() readonly main: Inbox,
        @InjectInbox("partners") readonly partners: Inbox,
        @Inject("calls") private readonly say: Say,
      ) {}

      @OnWebhook("audata", "*")
      onMain() {
        this.say("main");
      }

      @OnWebhook("audata", "*", { inbox: "partners" })
      onPartners() {
        this.say("partners");
      }
    }
    const { seen, provider } = calls();

    @Module({ providers: [Service, provider] })
    class Feature {}
    @Module({
      imports: [
        WebhooksModule.forRoot(newOptions()),
        WebhooksModule.forRoot({ name: "partners", path: "/partners", ...newOptions() }),
        Feature,
      ],
    })
    class AppModule {}

    const app = await created(AppModule);
    const url = await listening(app);
    const { main, partners } = app.get(Service, { strict: false });
    expect(await deliver(url, 1, "/partners")).toBe(200);
    await partners.idle();
    expect(seen).toEqual(["partners"]);
    expect(await deliver(url, 1)).toBe(200);
    await main.idle();
    expect(seen).toEqual(["partners", "main"]);
    expect((await main.list()).events).toHaveLength(1);
  });

  test("refuses an inbox below another one's path", async () => {
    const below = { name: "two", path: "/webhooks/two", ...newOptions() };
    const module = root([], [WebhooksModule.forRoot(newOptions()), WebhooksModule.forRoot(below)]);
    const making = NestFactory.create(module, { logger: false, abortOnError: false });
    await expect(making).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  test("refuses two inboxes at one path", async () => {
    const [one, two] = [newOptions(), { name: "two", ...newOptions() }];
    const module = root([], [WebhooksModule.forRoot(one), WebhooksModule.forRoot(two)]);
    await expect(
      NestFactory.create(module, { logger: false, abortOnError: false }),
    ).rejects.toThrow(/"inbox" \(at "\/webhooks"\) and "two" \(at "\/webhooks"\)/);
  });

  describe("forRootAsync", () => {
    @Injectable()
    class Config {
      readonly token = "t";
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}

    @Injectable()
    class Factory implements WebhooksOptionsFactory {
      constructor(@Inject(Config) private readonly config: Config) {}

      async createWebhooksOptions() {
        return { ...newOptions(), sources: { audata: audata({ token: this.config.token }) } };
      }
    }
    @Module({ imports: [ConfigModule], providers: [Factory], exports: [Factory] })
    class FactoryModule {}

    const modules = {
      useFactory: WebhooksModule.forRootAsync({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async ({ token }: Config) => ({
          ...newOptions(),
          sources: { audata: audata({ token }) },
        }),
      }),
      useClass: WebhooksModule.forRootAsync({ imports: [ConfigModule], useClass: Factory }),
      useExisting: WebhooksModule.forRootAsync({ imports: [FactoryModule], useExisting: Factory }),
    };
    for (const [how, module] of Object.entries(modules)) {
      test(`takes its options by ${how}`, async () => {
        const app = await created(root([], [module]));
        expect(await deliver(await listening(app))).toBe(200);
      });
    }

    test("a factory that fails, and options that are wrong, keep the application from being made", async () => {
      const wrong = WebhooksModule.forRootAsync({
        useFactory: () => ({ ...newOptions(), sources: { audata: audata({ token: "" }) } }),
      });
      const making = NestFactory.create(root([], [wrong]), { logger: false, abortOnError: false });
      await expect(making).rejects.toMatchObject({ code: "CREDENTIAL_INVALID" });
    });
  });

  test("is not disturbed by global guards, pipes, interceptors and filters", async () => {
    const passed: string[] = [];
    class Guard implements CanActivate {
      canActivate = (): boolean => (passed.push("guard"), false);
    }
    class Pipe implements PipeTransform {
      transform(): never {
        passed.push("pipe");
        throw new Error("no");
      }
    }
    class Interceptor implements NestInterceptor {
      intercept = (_context: unknown, next: CallHandler) => (
        passed.push("interceptor"),
        next.handle()
      );
    }
    class Filter implements ExceptionFilter {
      catch = (): number => passed.push("filter");
    }
    const app = await created(
      root([
        { provide: APP_GUARD, useClass: Guard },
        { provide: APP_PIPE, useClass: Pipe },
        { provide: APP_INTERCEPTOR, useClass: Interceptor },
        { provide: APP_FILTER, useClass: Filter },
      ]),
    );
    const url = await listening(app);
    expect(await deliver(url)).toBe(200);
    expect((await fetch(`${url}/webhooks/audata/wrong?event=x`)).status).toBe(401);
    expect(passed).toEqual([]);
  });

  test("speaks by Nest's logger, or by one of its own", async () => {
    const lines: string[] = [];
    const at =
      (level: string) =>
      (line: unknown): number =>
        lines.push(`${level} ${String(line)}`);
    const logger = { log: at("log"), warn: at("warn"), error: at("error"), debug: at("debug") };
    const { logger: _, ...options } = newOptions();
    const sources = { ...options.sources, open: audata({ auth: "none" }) };
    const app = await created(root([], [WebhooksModule.forRoot({ ...options, sources })]), logger);
    const url = await listening(app);
    await fetch(`${url}/webhooks/audata/wrong?event=x`);
    expect(lines).toContainEqual(expect.stringMatching(/^log audata: GET or POST .*\/webhooks/));
    expect(lines).toContainEqual(expect.stringMatching(/^warn open: .* from anybody/));
    await app.close();

    const own: unknown[] = [];
    const say = (_fields: object, line: string): number => own.push(line);
    const ownLogger = { debug: say, info: say, warn: say, error: say };
    const other = { ...options, store: newOptions().store, logger: ownLogger };
    await listening(await created(root([], [WebhooksModule.forRoot(other)])));
    expect(own).toContainEqual(expect.stringMatching(/^audata: GET or POST/));
  });
});
