/** Finds the methods that are marked with `@OnWebhook`, and registers them with their inbox. */

import {
  ContextIdFactory,
  ModuleRef,
  type DiscoveryService,
  type MetadataScanner,
} from "@nestjs/core";
import {
  isWebhookInboxError,
  WebhookInboxError,
  type Handler,
  type HandlerOptions,
} from "@webhook-inbox/core";
import { getInboxToken } from "./inject-inbox.decorator.ts";
import { marksOf, type Mark } from "./on-webhook.decorator.ts";

export interface Explored {
  readonly discovery: DiscoveryService;
  readonly scanner: MetadataScanner;
  readonly moduleRef: ModuleRef;
}

type Wrapper = ReturnType<DiscoveryService["getProviders"]>[number];

/** Where handlers go: an inbox, whose names are checked when it starts. */
interface Registrar {
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
        const where = `@OnWebhook on ${wrapper.name}.${method}`;
        if (mark.inbox !== name) {
          refuseUnknownInbox(explored.moduleRef, mark, where);
        } else {
          register(inbox, mark, handlerOf(wrapper, method), where);
        }
      }
    }
  }
}

function register(
  inbox: Registrar,
  { source, type, options }: Mark,
  handler: Handler,
  where: string,
): void {
  try {
    inbox.on(source, type, options, handler);
  } catch (error) {
    if (!isWebhookInboxError(error)) throw error;
    const message = error.message.replace("[webhook-inbox] ", "");
    throw new WebhookInboxError(error.code, `${where}: ${message}`, { cause: error });
  }
}

function prototypeOf({ instance, metatype, isAlias }: Wrapper): object | undefined {
  if (isAlias) return undefined;
  // An instance may be another class's than the token's: `useClass`, `useValue`, `useFactory`.
  const made: unknown = instance;
  if (typeof made === "object" && made !== null) return Object.getPrototypeOf(made) as object;
  const prototype = (metatype as { readonly prototype?: unknown } | null)?.prototype;
  return typeof prototype === "object" && prototype !== null ? prototype : undefined;
}

/** One instance for all, or one for each attempt where its scope asks for it. */
function handlerOf(wrapper: Wrapper, method: string): Handler {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
    return (event, ctx) => call(wrapper.instance as object, method, event, ctx);
  }
  // From its own module: others may have a provider of the same token.
  const own = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef;
  return async (event, ctx) => {
    const contextId = ContextIdFactory.create();
    own.registerRequestByContextId({ event, ctx }, contextId);
    const instance = await own.resolve<object>(wrapper.token, contextId);
    return await call(instance, method, event, ctx);
  };
}

function call(instance: object, method: string, ...given: Parameters<Handler>): unknown {
  const handler: unknown = (instance as Record<string, unknown>)[method];
  if (typeof handler !== "function") throw new TypeError(`${method} is no method`);
  return handler.apply(instance, given) as unknown;
}

function refuseUnknownInbox(moduleRef: ModuleRef, { inbox }: Mark, where: string): void {
  try {
    moduleRef.get(getInboxToken(inbox), { strict: false });
  } catch (cause) {
    throw new WebhookInboxError(
      "HANDLER_INVALID",
      `${where} names the inbox "${inbox}", and there is none: import ` +
        `WebhooksModule.forRoot({ name: "${inbox}", … }).`,
      { cause },
    );
  }
}
