/** Makes the function that users call to configure a source of a provider, typed by what the provider declares. */

import type { CredentialKind, Credentials } from "../contracts/credentials.ts";
import type { LaneEvent, LaneOptions } from "../contracts/lanes.ts";
import type { Provider } from "../contracts/provider.ts";
import type { EventMap, Schema, SchemasOf } from "../contracts/schema.ts";
import type { Source, SourceRetry } from "../contracts/source.ts";

/** Options of a source: the credentials its provider can send, and what every source may be told. */
export type SourceOptions<
  Auth extends CredentialKind,
  Own extends EventMap,
  Events extends EventMap = EventMap,
> = Pick<Credentials, Auth> &
  SharedOptions<Own, Events> & {
    /** The explicit way to take deliveries from anybody. Malformed ones are then answered 400 and not kept. */
    readonly auth?: "none";
  };

/** Any event of a map: its type says what its data is. */
type EventIn<Events extends EventMap> = {
  [Type in keyof Events & string]: LaneEvent<Type, Events[Type]>;
}[keyof Events & string];

/** What a source may be told beside its credentials. */
export interface SharedOptions<
  Own extends EventMap,
  Events extends EventMap = EventMap,
> extends LaneOptions<EventIn<Omit<Events, keyof NoInfer<Own>> & NoInfer<Own>>> {
  /** Schemas for further event types (any Standard Schema), or in place of the provider's. */
  readonly events?: SchemasOf<Own>;
  /**
   * Which deliveries are the same event: those with the provider's id, or those with the same body, whatever stands beside
   * it. `body` is for providers that sign the body and not the id: whoever has caught one delivery could send it again
   * under other ids. Default: `id`.
   */
  readonly dedup?: "id" | "body";
  /** How far a signed time may be from this machine's, in milliseconds, either way. Default: the provider's, or 300,000. */
  readonly toleranceMs?: number;
  /** Largest body taken, in bytes. Default: the inbox's `limits.bodyBytesMax`. */
  readonly bodyBytesMax?: number;
  /** Events of this source whose handlers may run at the same time, in one instance. Default: as the inbox allows. */
  readonly handlersMax?: number;
  /** When failed events are tried again. Default: the inbox's `retry`. */
  readonly retry?: SourceRetry<(keyof Events | keyof NoInfer<Own>) & string>;
}

/** Configures one place to receive from a provider. `More` are options of that provider alone. */
export type SourceFactory<
  Events extends EventMap,
  Auth extends CredentialKind,
  More extends object = {},
> = <Own extends EventMap = {}>(
  options?: SourceOptions<Auth, Own, Events> & More,
) => Source<Omit<Events, keyof NoInfer<Own>> & NoInfer<Own>>;

/**
 * Defines a provider. What it returns is called once for each source: `const acme = defineProvider({ … })`, then
 * `sources: { acme: acme({ token }) }`.
 */
export function defineProvider<Events extends EventMap, const Auth extends CredentialKind>(
  provider: Provider<Events> & { readonly auth: readonly Auth[] },
): SourceFactory<Events, Auth> {
  return (options) => ({
    provider,
    events: { ...(provider.events as Record<string, Schema>), ...options?.events },
    options: options ?? {},
  });
}
