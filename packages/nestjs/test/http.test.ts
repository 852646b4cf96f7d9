import "reflect-metadata";
import type { AddressInfo } from "node:net";
import type { INestApplication } from "@nestjs/common";
import { Body, Controller, Get, HttpCode, Module, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import { getInboxToken, mount, WebhooksModule } from "@webhook-inbox/nestjs";
import { httpSuite, type Given, type Site } from "@webhook-inbox/testing/http";
import compression from "compression";
import session from "express-session";
import helmet from "helmet";
import { describe, test } from "vitest";

@Controller()
class Routes {
  @Get("home")
  home(): string {
    return "home";
  }

  @Get("webhooks")
  mine(): string {
    return "mine";
  }

  @Post("echo")
  @HttpCode(200)
  echo(@Body() body: unknown): unknown {
    return body;
  }
}

function appModule(given: Given) {
  const options = given !== undefined && "receive" in given ? { inbox: given } : given;

  @Module({ imports: [WebhooksModule.forRoot(options)], controllers: [Routes] })
  class AppModule {}

  return AppModule;
}

const secret = { secret: "x", resave: true, saveUninitialized: true };

const platforms: Readonly<
  Record<string, (module: object, options: object) => Promise<INestApplication>>
> = {
  "Nest on Express": (module, options) => NestFactory.create(module, options),
  "Nest on Fastify": (module, options) =>
    NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), options),
};

const ofFastify = {
  "framing: a chunk with an extension of 20 KB":
    "Fastify answers whatever Node's parser refuses with 400",
};

for (const [platform, create] of Object.entries(platforms)) {
  describe(platform, () => {
    httpSuite({
      test,
      hasFront: true,
      afterParser: "exact",
      ...(platform === "Nest on Fastify" && { exempt: ofFastify }),
      async serve(given: Given, { prefix, parser, isFronted, pages }: Site) {
        const app = await create(appModule(given), { logger: false, rawBody: parser === "before" });
        if (isFronted) {
          for (const front of [helmet(), compression({ threshold: 0 }), session(secret)]) {
            app.use(front);
          }
          app.enableCors();
        }
        app.setGlobalPrefix(prefix);
        app.use(`${prefix}/pages`, mount(pages));
        await app.listen(0, "127.0.0.1");
        const { port } = app.getHttpServer().address() as AddressInfo;
        return { port, inbox: app.get(getInboxToken()), close: () => app.close() };
      },
    });
  });
}
