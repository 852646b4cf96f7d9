/** What a source is given to prove its sender by. */

/**
 * A secret, or several while one replaces another; any of them is accepted. A function is asked for them instead: its
 * answer is used for a minute, and for up to a day while it fails, so that a vault that is away refuses nobody.
 * `undefined` is allowed by the type and stops the start.
 */
export type Secret = SecretList | (() => SecretList | Promise<SecretList>) | undefined;

/** One secret, several while one replaces another, or a function that fetches them. */
export type SecretList = string | DatedSecret | readonly (string | DatedSecret)[];

/** A secret that holds for a time: outside of it a delivery made with it is refused, and its diagnosis says so. */
export interface DatedSecret {
  readonly value: string;
  /** First instant at which it is accepted: a date, its text, or milliseconds since 1970. Default: it always was. */
  readonly notBefore?: Date | string | number;
  /** Last instant at which it is accepted. Default: for ever. */
  readonly notAfter?: Date | string | number;
}

/** The credentials a source may be given. All that are given must match. */
export interface Credentials {
  /** A segment of the URL: `<path>/<source>/<token>`. */
  readonly token?: Secret;
  /** `Authorization: Bearer <value>`. */
  readonly bearer?: Secret;
  /** `Authorization: Basic …`. */
  readonly basic?: { readonly user: string; readonly password: Secret };
  /** Static headers, such as `{ "x-api-key": process.env.KEY }`. */
  readonly headers?: Readonly<Record<string, Secret>>;
  /** The key of the provider's signature. */
  readonly secret?: Secret;
  /** The provider's public key, for signatures that are made with a private one. */
  readonly publicKey?: Secret;
  /** The id that the provider gave this webhook: its signature holds for that one only. */
  readonly webhookId?: Secret;
  /** The topic to take from: others' topics are signed with the same key. */
  readonly topicArn?: Secret;
  /** What the provider repeats when it asks by GET whether the URL is yours. Proves no delivery. */
  readonly verifyToken?: Secret;
}

/** What a source may be given as credential. `WEBHOOK_INBOX_TOKEN_<SOURCE>` becomes the first of its provider's, if that is token or bearer. */
export type CredentialKind = keyof Credentials;

/** What the key of a signature is given as. */
export type SignatureKind = "secret" | "publicKey" | "webhookId" | "topicArn";

/** A secret with the name that deliveries and diagnoses know it by, such as `secret#1`, and its time. */
export interface HeldSecret {
  readonly name: string;
  readonly value: string;
  readonly notBefore: number;
  readonly notAfter: number;
}
