/**
 * The inbox: receives webhooks, proves who sent them, keeps them durably and once, and runs handlers until each has
 * succeeded.
 *
 * @module @webhook-inbox/core
 */

export { createInbox, type Inbox } from "./inbox.ts";
export type { InboxOptions, WorkOptions } from "./options.ts";
export { isWebhookInboxError, WebhookInboxError, type ErrorCode } from "./errors.ts";
export type {
  EventOf,
  Handler,
  HandlerContext,
  HandlerOptions,
  HandlersOf,
  TypeOf,
  WebhookEvent,
} from "./work/handlers.ts";

export {
  defineProvider,
  type SourceFactory,
  type SourceOptions,
} from "./providers/define-provider.ts";
export type {
  CredentialKind,
  Credentials,
  Habits,
  Identification,
  Identity,
  Provider,
  Secret,
  Signature,
} from "./contracts/provider.ts";
export type { EventMap, Schema, SchemaIssue, SchemaResult, SchemasOf } from "./contracts/schema.ts";
export type { EventsOf, Source, Sources } from "./contracts/source.ts";

export { systemClock, type Clock } from "./contracts/clock.ts";
export type { Answer, BodyRead, BodySource, Door } from "./contracts/door.ts";
export {
  conflictsMax,
  type Claim,
  type ClaimAnswer,
  type ClaimAsk,
  type ClaimTerms,
  type ListAnswer,
  type ListQuery,
  type NewEvent,
  type Store,
  type StoreSupports,
  type TakeAsk,
  type Taken,
} from "./contracts/store.ts";

export type { Delivery, DeliveryHead, Method } from "./model/delivery.ts";
export { eventKey } from "./event-key.ts";
export type {
  AttemptRecord,
  DeadReason,
  EventRecord,
  EventState,
  HandlerFailure,
  Note,
  QuarantineReason,
} from "./model/event.ts";
export type { Outcome, Settlement } from "./model/settlement.ts";
export type { Logger } from "./observe/logger.ts";
