/** Asking a provider for what should have come as a webhook, and has not. */

export interface Poll {
  /** The ids of the events that a webhook about `ref` may bring: when one of them is there, nobody is asked. */
  ids(ref: string): readonly string[];
  /** Time between two questions of one source, in milliseconds: what the provider's rate limit allows. */
  readonly spacingMs: number;
  /** Asks once. May reject: it is asked again. */
  ask(ref: string, tools: PollTools): Promise<Polled>;
}

/** What a poll may use. */
export interface PollTools {
  readonly fetch: typeof globalThis.fetch;
  /** Aborted after ten seconds, and when the inbox closes. */
  readonly signal: AbortSignal;
}

/**
 * - `ended`: what the webhook would have brought, as its body and the path segment behind the source.
 * - `pending`: nothing yet; it is asked again, after half a minute at first and at most an hour later.
 * - `never`: no webhook will come, for this reason.
 * - `failed`: the provider did not say; it is asked again as the source's `retry` says.
 */
export type Polled =
  | { readonly kind: "ended"; readonly body: string; readonly segment?: string }
  | { readonly kind: "pending" }
  | { readonly kind: "never"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string; readonly retryAfterMs?: number };
