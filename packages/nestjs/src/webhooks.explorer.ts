/** Finds the methods that are marked with `@OnWebhook`, and registers them with their inbox. */

import type { DiscoveryService, MetadataScanner, ModuleRef } from "@nestjs/core";
import { ContextIdFactory } from "@nestjs/core";
import { WebhookInboxError, type Handler, type HandlerOptions } from "@webhook-inbox/core";
import { getInboxToken } from "./inject-inbox.decorator.ts";
import { marksOf, type Mark } from "./on-webhook.decorator.ts";

export interface Explored {
  readonly discovery: DiscoveryService;
  readonly scanner: MetadataScanner;
  readonly moduleRef: ModuleRef;
}

type Wrapper = ReturnType<DiscoveryService["getProviders"]>[number];

/** Where handlers go: an inbox, whose names are checked when it starts. */
export interface Registrar {
  on(source: string, type: string, options: HandlerOptions, handler: Handler): unknown;
}

/** Registers what is marked for the inbox of this name. Throws `HANDLER_INVALID` for a mark that names no inbox. */
export function registerMarked(explored: Explored, name: string, inbox: Registrar): void {
  const { discovery, scanner } = explored;
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const prototype = prototypeOf(wrapper);
    if (prototype === undefined) continue;
    for (const method of scanner.getAllMethodNames(prototype)) {
      for (const mark of marksOf(prototype, method)) {
        const { source, type, options } = mark;
        if (mark.inbox === name)
          inbox.on(source, type, options, handlerOf(wrapper, method, explored));
        else refuseUnknownInbox(explored.moduleRef, mark, `${wrapper.name}.${method}`);
      }
    }
  }
}

function prototypeOf({ instance, metatype, isAlias }: Wrapper): object | undefined {
  if (isAlias) return undefined;
  // An instance may be another class's than the token's: `useClass`, `useValue`, `useFactory`.
  const object: unknown =
    instance ?? (metatype as { readonly prototype?: object } | null)?.prototype;
  if (typeof object !== "object" || object === null) return undefined;
  return (
    instance === null || instance === undefined ? object : Object.getPrototypeOf(object)
  ) as object;
}

function handlerOf(wrapper: Wrapper, method: string, { moduleRef }: Explored): Handler {
  const call = (instance: object, ...given: Parameters<Handler>): unknown =>
    (instance as Record<string, (...all: Parameters<Handler>) => unknown>)[method]?.(...given);
  if (wrapper.isDependencyTreeStatic()) {
    return (event, ctx) => call(wrapper.instance as object, event, ctx);
  }
  return async (event, ctx) => {
    const contextId = ContextIdFactory.create();
    moduleRef.registerRequestByContextId({ event, ctx }, contextId);
    const instance = await moduleRef.resolve<object>(wrapper.token, contextId, { strict: false });
    return await call(instance, event, ctx);
  };
}

function refuseUnknownInbox(moduleRef: ModuleRef, { inbox }: Mark, where: string): void {
  try {
    moduleRef.get(getInboxToken(inbox), { strict: false });
  } catch (cause) {
    throw new WebhookInboxError(
      "HANDLER_INVALID",
      `@OnWebhook on ${where} names the inbox "${inbox}", and there is none: import ` +
        `WebhooksModule.forRoot({ name: "${inbox}", … }).`,
      { cause },
    );
  }
}
