/**
 * The life of an inbox in a Nest application: mounted before Nest reads any body, started after everything else has
 * started, and drained before anything else is destroyed, so that handlers find what they need.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { OnApplicationBootstrap, OnModuleDestroy, OnModuleInit } from "@nestjs/common";
import type { ApplicationConfig, HttpAdapterHost } from "@nestjs/core";
import {
  isWebhookInboxError,
  WebhookInboxError,
  type CloseOptions,
  type Inbox,
} from "@webhook-inbox/core";
import { answerNode, writeNode, type Leftovers } from "@webhook-inbox/core/node";
import { registerMarked, type Explored } from "./webhooks.explorer.ts";

interface RunnerNeeds extends Explored {
  readonly name: string;
  readonly inbox: Inbox;
  readonly close: CloseOptions;
  readonly host: HttpAdapterHost;
  readonly config: ApplicationConfig;
}

/** A request as both platforms hand it on: middleware of Fastify finds the whole path only here. */
type NestRequest = IncomingMessage & { readonly originalUrl?: string };

/** Paths that are taken, by application: the first inbox of two at one path would answer 404 for the other's sources. */
const taken = new WeakMap<HttpAdapterHost, Map<string, string>>();

export class WebhooksRunner implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #needs: RunnerNeeds;
  #prefix: string | undefined;

  constructor(needs: RunnerNeeds) {
    this.#needs = needs;
    const { host } = needs;
    takePath(needs);
    // Nest's own parsers come later than the adapter, in tests as well; an application context never has one.
    host.init$.subscribe(() => {
      const adapter: HttpAdapterHost["httpAdapter"] | null = host.httpAdapter;
      adapter?.use((req: NestRequest, res: ServerResponse, next: () => void) => {
        this.#receive(req, res, next);
      });
    });
  }

  #receive(req: NestRequest, res: ServerResponse, next: () => void): void {
    const { inbox, config } = this.#needs;
    const { originalUrl: url = req.url ?? "" } = req;
    // It is set after this was made, and before the first request.
    const prefix = (this.#prefix ??= slashed(config.getGlobalPrefix()));
    const target = url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : undefined;
    const answering =
      target === undefined ? undefined : answerNode(inbox, req, req as Leftovers, target);
    if (answering === undefined) next();
    else void writeNode(res, answering);
  }

  onModuleInit(): void {
    const { name, inbox } = this.#needs;
    registerMarked(this.#needs, name, inbox);
  }

  /** A store that is away does not keep the application from starting: deliveries are answered 503 until it is back. */
  async onApplicationBootstrap(): Promise<void> {
    const { inbox } = this.#needs;
    try {
      await inbox.start();
    } catch (error) {
      if (!isWebhookInboxError(error) || error.code !== "STORE_UNAVAILABLE") throw error;
      inbox.mount();
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.#needs.inbox.close(this.#needs.close);
  }
}

/** With a slash at its start and none at its end; empty for none at all. */
function slashed(prefix: string): string {
  return `/${prefix}`.replaceAll(/\/+/g, "/").replace(/\/$/, "");
}

function takePath({ host, inbox: { path }, name }: RunnerNeeds): void {
  const paths = taken.get(host) ?? new Map<string, string>();
  for (const [other, its] of paths) {
    if (!`${path}/`.startsWith(`${other}/`) && !`${other}/`.startsWith(`${path}/`)) continue;
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `the inboxes "${its}" (at "${other}") and "${name}" (at "${path}") are in each other's way: give each a path of ` +
        "its own, and none below another's.",
    );
  }
  taken.set(host, paths.set(path, name));
}
