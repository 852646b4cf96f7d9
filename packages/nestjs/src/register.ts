/** What a user's inboxes are, so that `@OnWebhook` knows their sources and types. */

import type {
  EventOf,
  HandlerContext,
  Inbox,
  Sources,
  TypeOf,
  WebhookEvent,
} from "@webhook-inbox/core";

/**
 * To be augmented with the types of your inboxes by name, `inbox` being the one without a name. `@OnWebhook` then takes
 * only names that exist, and methods whose parameters fit. Without it every name is taken, and checked at the start.
 *
 * @example
 * declare module "@webhook-inbox/nestjs" {
 *   interface Register {
 *     inbox: Inbox<typeof sources>;
 *   }
 * }
 */
export interface Register {}

export type InboxName = [keyof Register] extends [never] ? string : Extract<keyof Register, string>;

type SourcesOf<Name extends string> = Name extends keyof Register
  ? Register[Name] extends Inbox<infer Of, infer _>
    ? Of
    : never
  : undefined;

type TransactionOf<Name extends string> = Name extends keyof Register
  ? Register[Name] extends Inbox<infer _, infer Transaction>
    ? Transaction
    : never
  : unknown;

export type SourceName<Name extends string> =
  SourcesOf<Name> extends infer Of extends Sources ? keyof Of & string : string;

export type TypeName<Name extends string, Source extends string> =
  SourcesOf<Name> extends infer Of extends Sources
    ? Source extends keyof Of
      ? TypeOf<Of[Source]> | "*"
      : never
    : string;

/** A method that can handle the type; any method where nothing is registered. */
export type Handling<Name extends string, Source extends string, Type extends string> =
  SourcesOf<Name> extends infer Of extends Sources
    ? (event: EventFor<Of, Source, Type>, ctx: HandlerContext<TransactionOf<Name>>) => unknown
    : (...anything: never) => unknown;

type EventFor<
  Of extends Sources,
  Source extends string,
  Type extends string,
> = Source extends keyof Of & string
  ? Type extends TypeOf<Of[Source]> | "*"
    ? EventOf<Of, Source, Type>
    : WebhookEvent
  : WebhookEvent;
