/**
 * The inbox: receives webhooks, proves who sent them, keeps them durably and once, and runs handlers until each has
 * succeeded.
 *
 * @module @webhook-inbox/core
 */

export { createInbox } from "./inbox/create-inbox.ts";
export type { FetchOptions } from "./http/fetch.ts";
export type {
  CloseOptions,
  DrainOptions,
  ExpectOptions,
  Inbox,
  RevealOptions,
  SecretUsage,
} from "./inbox/inbox.ts";
export type { Health, SpillHealth } from "./inbox/health.ts";
export type { InboxOptions, WorkOptions } from "./options/options.ts";
export { isWebhookInboxError, WebhookInboxError, type ErrorCode } from "./errors.ts";
export { dead, isAnswer, retry, type HandlerAnswer } from "./work/answers.ts";
export type { VerifiedAgain, VerifyAgainOptions } from "./receive/verify-again.ts";
export type { Audit } from "./work/audit.ts";
export type { Intervened, InterveneOptions, ReplayOptions, Which } from "./work/interventions.ts";
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
export { lookup } from "./providers/lookup.ts";
export { contentId, eventsIn, secondsOf, type Fields, type Reading } from "./providers/events.ts";
export {
  instantOf,
  readForm,
  readFormOrJson,
  readPayloadOrJson,
  readJson,
  type Content,
} from "./providers/content.ts";
export { fieldOf } from "./verify/signing.ts";
export { anyOf, whenPresent } from "./verify/combine.ts";
export { hmac, type Hmac } from "./verify/hmac.ts";
export { certificate, publicKey, type Certificate, type PublicKey } from "./verify/public-key.ts";
export type { Signing } from "./verify/signing.ts";
export type {
  CredentialKind,
  Credentials,
  DatedSecret,
  HeldSecret,
  Secret,
  SecretList,
  SignatureKind,
} from "./contracts/credentials.ts";
export type {
  Challenge,
  Habits,
  HandshakeTools,
  Identification,
  Identity,
  Provider,
  Reply,
} from "./contracts/provider.ts";
export type { Poll, Polled, PollTools } from "./contracts/poll.ts";
export type { Judging, Signature, SignedParts } from "./contracts/signature.ts";
export type { EventMap, Schema, SchemaIssue, SchemaResult, SchemasOf } from "./contracts/schema.ts";
export type { EventsOf, Source, SourceRetry, Sources } from "./contracts/source.ts";
export type { LaneEvent, LaneOptions } from "./contracts/lanes.ts";

export { systemClock, type Clock } from "./contracts/clock.ts";
export type { Answer, BodyRead, BodySource, Door } from "./contracts/door.ts";
export {
  conflictsMax,
  type AuditAnswer,
  type Claim,
  type ClaimAnswer,
  type ClaimAsk,
  type ClaimTerms,
  type ConnectHeartbeat,
  type EventFilter,
  type Hold,
  type InterveneAnswer,
  type InterveneAsk,
  type Kept,
  type ListAnswer,
  type ListQuery,
  type NoTransaction,
  type PruneAnswer,
  type PruneAsk,
  type Selection,
  type Store,
  type StoreSupports,
  type TakeAsk,
  type Taken,
  type Tally,
  type TallyQuery,
  type ThreadAccess,
  type TypesMax,
} from "./contracts/store.ts";

export type { Delivery, DeliveryHead, Method, Sealed } from "./model/delivery.ts";
export { decodeKey, encodeKey, eventKey } from "./event-key.ts";
export { everyState, forever } from "./model/event.ts";
export type {
  AttemptRecord,
  DeadReason,
  EventRecord,
  Lane,
  EventState,
  HandlerFailure,
  NewEvent,
  Note,
  QuarantineReason,
  Reason,
  RefusedReason,
} from "./model/event.ts";
export { longestDue } from "./observe/longest-due.ts";
export { errorText } from "./observe/redact.ts";
export { diagnosisText } from "./observe/diagnosis.ts";
export { standings, type CountedState, type Standing } from "./observe/standings.ts";
export type { DeliveryView, EventView } from "./observe/view.ts";
export type {
  Attempted,
  AttemptedOf,
  Received,
  ReceivedOf,
  Telemetry,
} from "./observe/telemetry.ts";
export { visible, visibleJson, visibleLines } from "./observe/visible.ts";
export type { Receipt } from "./model/receipt.ts";
export type { Diagnosis, Verdict } from "./model/verdict.ts";
export { statesFor, type Act, type InterventionRecord } from "./model/intervention.ts";
export type { Outcome, Settlement } from "./model/settlement.ts";
export {
  prunable,
  stateAfter,
  transitions,
  type Gone,
  type Transition,
} from "./model/transitions.ts";
export type { HandlerLogger, Logger } from "./observe/logger.ts";
export type {
  Emit,
  ErrorSummary,
  EventName,
  FailureSummary,
  NamedOutcome,
  Signal,
  SourceSummary,
} from "./observe/signals.ts";
