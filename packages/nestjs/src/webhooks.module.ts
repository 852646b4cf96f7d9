/** The module: an inbox for the whole application. Its decorators are called as functions, so that no metadata is needed. */

import {
  Logger,
  Module,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from "@nestjs/common";
import {
  ApplicationConfig,
  DiscoveryModule,
  DiscoveryService,
  HttpAdapterHost,
  MetadataScanner,
  ModuleRef,
  ModulesContainer,
} from "@nestjs/core";
import type { CloseOptions, Inbox, Sources } from "@webhook-inbox/core";
import {
  inboxFrom,
  type DefaultSources,
  type DefaultTransaction,
  type WebhooksOptions,
} from "@webhook-inbox/core/defaults";
import { defaultName, getInboxToken } from "./inject-inbox.decorator.ts";
import { WebhooksRunner } from "./webhooks.runner.ts";

interface Settings {
  /** How it closes when the application does. Default: at once, with 25 seconds for handlers to end. */
  readonly close?: CloseOptions;
}

/** `createInbox`'s options, none of which is needed, or an inbox that was made elsewhere. Logs go to Nest's logger. */
export type WebhooksModuleOptions<
  Of extends Sources = DefaultSources,
  Transaction = DefaultTransaction,
> = Settings &
  (
    | (WebhooksOptions<Of, Transaction> & { readonly inbox?: never })
    | { readonly inbox: Inbox<Of, Transaction> }
  );

interface Named {
  /** Where there are several: what it is called in `@OnWebhook` and `@InjectInbox`. Give each its own `path`. */
  readonly name?: string;
}

/** What makes options, for `useClass` and `useExisting`. */
export interface WebhooksOptionsFactory<Of extends Sources = Sources, Transaction = unknown> {
  createWebhooksOptions():
    | WebhooksModuleOptions<Of, Transaction>
    | Promise<WebhooksModuleOptions<Of, Transaction>>;
}

/** One of `useFactory` (with `inject`), `useClass` and `useExisting`. */
export interface WebhooksModuleAsyncOptions<Of extends Sources = Sources, Transaction = unknown>
  extends Named, Pick<ModuleMetadata, "imports"> {
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  readonly useFactory?: (
    ...injected: never[]
  ) => WebhooksModuleOptions<Of, Transaction> | Promise<WebhooksModuleOptions<Of, Transaction>>;
  readonly useClass?: Type<WebhooksOptionsFactory<Of, Transaction>>;
  readonly useExisting?: InjectionToken<WebhooksOptionsFactory<Of, Transaction>>;
}

const optionsToken = Symbol("webhook-inbox options");
const factoryToken = Symbol("webhook-inbox options factory");

/**
 * Receives webhooks below `<global prefix>/webhooks`, before Nest reads a body, and beside its guards, pipes, interceptors
 * and filters; runs the methods marked with `@OnWebhook`. Starts when the application has started, and drains when it
 * closes (on signals: `app.enableShutdownHooks()`). Global: any module may inject the inbox.
 */
export class WebhooksModule {
  /** Throws as `createInbox` does, when the application is made. */
  static forRoot<const Of extends Sources = DefaultSources, Transaction = DefaultTransaction>({
    name,
    ...options
  }: WebhooksModuleOptions<Of, Transaction> & Named = {}): DynamicModule {
    return dynamicModule(name, [{ provide: optionsToken, useValue: options }]);
  }

  /** Takes its options from other providers. */
  static forRootAsync<const Of extends Sources, Transaction>({
    name,
    imports = [],
    inject = [],
    useFactory,
    useClass,
    useExisting,
  }: WebhooksModuleAsyncOptions<Of, Transaction>): DynamicModule {
    if (useFactory !== undefined) {
      return dynamicModule(name, [{ provide: optionsToken, useFactory, inject }], imports);
    }
    const maker: Provider =
      useClass === undefined
        ? { provide: factoryToken, useExisting }
        : { provide: factoryToken, useClass };
    const made: Provider = {
      provide: optionsToken,
      useFactory: (factory: WebhooksOptionsFactory) => factory.createWebhooksOptions(),
      inject: [factoryToken],
    };
    return dynamicModule(name, [maker, made], imports);
  }
}

Module({})(WebhooksModule);

function dynamicModule(
  name: string = defaultName,
  options: readonly Provider[],
  imports: ModuleMetadata["imports"] = [],
): DynamicModule {
  const made: Provider = {
    provide: getInboxToken(name),
    useFactory: inboxOf,
    inject: [optionsToken],
  };
  const runner: Provider = {
    provide: WebhooksRunner,
    useFactory: (
      { close = {} }: Settings,
      inbox: Inbox,
      host: HttpAdapterHost,
      config: ApplicationConfig,
      discovery: DiscoveryService,
      scanner: MetadataScanner,
      moduleRef: ModuleRef,
      modules: ModulesContainer,
    ) => {
      // Hooks go by distance from the root: this module's are to be the last at the start, and the first at the end.
      for (const module of modules.values()) {
        if (module.metatype === WebhooksModule) module.distance = -1;
      }
      return new WebhooksRunner({
        name,
        inbox,
        close,
        host,
        config,
        discovery,
        scanner,
        moduleRef,
      });
    },
    inject: [
      optionsToken,
      getInboxToken(name),
      HttpAdapterHost,
      ApplicationConfig,
      DiscoveryService,
      MetadataScanner,
      ModuleRef,
      ModulesContainer,
    ],
  };
  return {
    module: WebhooksModule,
    global: true,
    imports: [DiscoveryModule, ...imports],
    providers: [...options, made, runner],
    exports: [getInboxToken(name)],
  };
}

function inboxOf(options: WebhooksModuleOptions<Sources, unknown>): Inbox {
  if (options.inbox !== undefined) return options.inbox;
  const { close: _close, inbox: _inbox, ...given } = options;
  return inboxFrom({ logger: nestLogger(), ...given });
}

function nestLogger(): { [Level in "debug" | "info" | "warn" | "error"]: Write } {
  const logger = new Logger("WebhookInbox");
  return {
    debug: (_, message) => logger.debug(message),
    info: (_, message) => logger.log(message),
    warn: (_, message) => logger.warn(message),
    error: (_, message) => logger.error(message),
  };
}

type Write = (fields: object, message: string) => void;
