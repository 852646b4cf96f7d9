/** Nest applications for one test, with an inbox in memory. */

import "reflect-metadata";
import type { AddressInfo } from "node:net";
import {
  Module,
  type INestApplication,
  type LoggerService,
  type Provider,
  type Type,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { WebhooksModule } from "@webhook-inbox/nestjs";
import { onTestFinished } from "vitest";

export const newOptions = () => ({
  store: memory({ acceptLoss: true }),
  sources: { audata: audata({ token: "t" }), socialdata: socialData({ token: "t" }) },
  logger: false as const,
});

/** The root module of an application, with these providers and nothing else. */
export function root(
  providers: Provider[],
  imports = [WebhooksModule.forRoot(newOptions())],
): Type {
  @Module({ imports, providers })
  class AppModule {}
  return AppModule;
}

export async function created(module: Type, logger: LoggerService | false = false) {
  const app = await NestFactory.create(module, { logger, abortOnError: false });
  onTestFinished(() => app.close());
  return app;
}

export async function listening(app: INestApplication): Promise<string> {
  await app.listen(0, "127.0.0.1");
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}

export const listener = (id: number): string =>
  `event=Listener.updated&webhookCallId=${id}&sender[id]=7`;

export async function deliver(url: string, id = 1, path = "/webhooks"): Promise<number> {
  return (await fetch(`${url}${path}/audata/t?${listener(id)}`)).status;
}

/** What handlers were called with. */
export function calls() {
  const seen: string[] = [];
  return {
    seen,
    provider: { provide: "calls", useValue: (call: string): number => seen.push(call) },
  };
}
export type Say = (call: string) => void;
