/** A source: one configured place to receive from one provider, as users make it and as the inbox resolves it. */

import type { LaneRule } from "./lanes.ts";
import type { Poll } from "./poll.ts";
import type { Provider, Reply } from "./provider.ts";
import type { EventMap, Schema } from "./schema.ts";
import type { HeldSecret } from "./credentials.ts";
import type { Evidence, Verifier } from "./verifier.ts";

/** One configured place to receive from one provider. Made by a provider's function, such as `audata({ … })`. */
export interface Source<Events extends EventMap = EventMap> {
  readonly provider: Provider;
  /** Schemas by event type: the provider's and the user's own. */
  readonly events: Readonly<Record<string, Schema>>;
  /** The options as given; `createInbox` checks them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Finds out what has become of something whose webhook has not come; for `inbox.expect`. */
  readonly poll?: Poll;
  /** Set by `lookup`: finds the source of one account, whose name follows the source's in the URL. */
  readonly find?: (account: string) => Promise<Source | undefined>;
  /** Carries the event map for inference; never set. */
  readonly "~events"?: Events;
}

/** Delays as in the inbox's `retry.delaysMs`: of all types of the source, and of single types in place of these. */
export interface SourceRetry<Type extends string = string> {
  readonly delaysMs?: readonly number[];
  readonly types?: { readonly [Name in Type]?: { readonly delaysMs: readonly number[] } };
}

/** Sources by name. The name is the path segment, and part of every event's key. */
export type Sources = Readonly<Record<string, Source>>;

/** Event map of a source. */
export type EventsOf<Of extends Source> = Of extends Source<infer Events> ? Events : never;

/** What a delivery has to pass: the credentials of a source, or of one account of it. */
export interface Gate {
  /**
   * `required`: the verifiers decide. `none`: anybody may send. `loopback`: no credential is set, and this is not
   * production, so only requests straight from this machine are taken.
   */
  readonly credential: "required" | "none" | "loopback";
  /** Whether a token stands in the URL. */
  readonly hasToken: boolean;
  readonly headVerifiers: readonly Verifier[];
  readonly bodyVerifiers: readonly Verifier[];
  /** Lower-case names of headers that carry a credential: never stored. */
  readonly secretHeaders: ReadonlySet<string>;
  /** Lower-case names of headers that verification reads: refused when repeated. */
  readonly singleHeaders: ReadonlySet<string>;
  /** The secrets that the provider's challenge may be answered with; undefined where there is no challenge. */
  readonly challenged:
    | ((evidence: Evidence) => readonly HeldSecret[] | Promise<readonly HeldSecret[]>)
    | undefined;
  /** Deliveries that each secret has matched since the start, by its name. */
  readonly matches: Map<string, SecretUse>;
}

export interface SecretUse {
  readonly count: number;
  /** In milliseconds since 1970. */
  readonly lastAt: number;
}

/** A source whose options have been checked: what receiving and working need of it. */
export interface ConfiguredSource {
  readonly name: string;
  readonly provider: Provider;
  readonly events: Readonly<Record<string, Schema>>;
  /** Its gate; undefined where each account has its own. */
  readonly gate: Gate | undefined;
  /** The gate of an account; undefined when there is no such account. Rejects while accounts cannot be looked up. */
  readonly gateOf: (
    account: string,
    evidence: Pick<Evidence, "now" | "report">,
  ) => Gate | undefined | Promise<Gate | undefined>;
  /** The gates that are known, with the accounts they belong to. */
  readonly gates: () => readonly (readonly [account: string | undefined, gate: Gate])[];
  readonly poll: Poll | undefined;
  /** What an accepted delivery is answered. */
  readonly accepted: Reply;
  /** Whether equal bodies are one event, whatever ids they come with. */
  readonly dedup: "id" | "body";
  readonly bodyBytesMax: number;
  /** Events of this source whose handlers may run at the same time; `Infinity` where only the inbox limits them. */
  readonly handlersMax: number;
  /** Undefined where no event waits for another. */
  readonly lane: LaneRule | undefined;
  /** The retry schedule of a type. */
  readonly delaysMsOf: (type: string) => readonly number[];
}
