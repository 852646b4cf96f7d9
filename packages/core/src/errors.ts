/** The one error class of the inbox. A refusal of a delivery is no error: it is a `Receipt`. */

/**
 * - `OPTION_INVALID`: an option is unknown or has a value it cannot have.
 * - `CREDENTIAL_INVALID`: a secret is undefined, empty, or looks like an unset variable.
 * - `CREDENTIAL_MISSING`: a source has no credential, in production.
 * - `HANDLER_INVALID`: a handler is registered twice, too late, or for a type that does not exist.
 * - `STORE_LOSSY`: the store would lose acknowledged events.
 * - `STORE_UNAVAILABLE`: the store cannot be reached, opened or written just now.
 * - `STORE_INCOMPATIBLE`: the store holds data of a version this one does not know, or needs a later Node.
 * - `EVENT_UNREADABLE`: an event was asked for as handlers get it, and cannot be read so; `cause` says what the parser or schema says.
 * - `SELECTION_INVALID`: a query or an intervention names no events, or has a filter or an option that cannot be.
 * - `TRANSACTION_INVALID`: `ctx.transaction` was used in a way that cannot be exact.
 * - `CLAIM_LOST`: another worker has taken over the event, or a person has ended it.
 * - `PROVIDER_FAILED`: a provider's API did not answer, or not as it should.
 * - `INBOX_CLOSED`: the inbox was closed.
 */
export type ErrorCode =
  | "OPTION_INVALID"
  | "CREDENTIAL_INVALID"
  | "CREDENTIAL_MISSING"
  | "HANDLER_INVALID"
  | "STORE_LOSSY"
  | "STORE_UNAVAILABLE"
  | "STORE_INCOMPATIBLE"
  | "EVENT_UNREADABLE"
  | "SELECTION_INVALID"
  | "TRANSACTION_INVALID"
  | "CLAIM_LOST"
  | "PROVIDER_FAILED"
  | "INBOX_CLOSED";

/** Every error that the inbox throws. Branch on `code`: it is stable, the message is not. */
export class WebhookInboxError extends Error {
  override readonly name = "WebhookInboxError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(`[webhook-inbox] ${message}`, options);
    this.code = code;
  }
}

/** What is said of a delivery that cannot be decrypted: with the key it can, and nothing helps where it was altered. */
export function undecryptedError(
  why: { readonly kind: "key_missing"; readonly keyId: string } | { readonly kind: "altered" },
): WebhookInboxError {
  return why.kind === "altered"
    ? new WebhookInboxError(
        "EVENT_UNREADABLE",
        "what was encrypted is not what was written: it was altered in the store.",
      )
    : new WebhookInboxError(
        "STORE_UNAVAILABLE",
        `a delivery was encrypted with the key "${why.keyId}", which is not among the keys of encrypted(store, { keys }), or is ` +
          "another one there. Put it behind the others: until then its events wait.",
      );
}

export function inboxClosed(): WebhookInboxError {
  return new WebhookInboxError("INBOX_CLOSED", "the inbox was closed.");
}

/** Whether an error says that the store cannot be used now, whatever is asked of it. */
export function isStoreAway(error: unknown): boolean {
  return isWebhookInboxError(error) && error.code === "STORE_UNAVAILABLE";
}

/** Whether an error is one of ours, also when two copies of the package are installed. */
export function isWebhookInboxError(error: unknown): error is WebhookInboxError {
  return error instanceof Error && error.name === "WebhookInboxError" && "code" in error;
}

/** Throws for a name that does not exist: what is misspelt must not be passed over. */
export function refuseUnknown(
  code: ErrorCode,
  where: string,
  given: object,
  known: readonly string[],
): void {
  const stranger = Object.keys(given).find((name) => !known.includes(name));
  if (stranger === undefined) return;
  throw new WebhookInboxError(
    code,
    `${where}: there is no option "${stranger}". Options: ${known.join(", ")}.`,
  );
}
