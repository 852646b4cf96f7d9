/** From the credentials in a source's options to its verifiers. Refuses what cannot be a secret before anything starts. */

import type { CredentialKind, Credentials, Secret } from "../contracts/credentials.ts";
import type { Provider } from "../contracts/provider.ts";
import type { Signature, SignedParts } from "../contracts/signature.ts";
import type { Evidence, Verifier } from "../contracts/verifier.ts";
import { WebhookInboxError } from "../errors.ts";
import { headerOf } from "../model/delivery.ts";
import { basicVerifier, bearerVerifier, headerVerifier } from "./headers.ts";
import { invalidCredential, keyringOf, tried, type Keyring } from "./keyring.ts";
import { tokenVerifier } from "./token.ts";

export const signatureKinds = ["secret", "publicKey", "webhookId", "topicArn"] as const;

export const credentialKinds: readonly CredentialKind[] = [
  "token",
  "bearer",
  "basic",
  "headers",
  ...signatureKinds,
  "verifyToken",
];

/** Characters that a path segment or a header may carry as they are; a token with others would not arrive as set. */
const tokenPattern = /^[A-Za-z0-9._~-]+$/;
const headerNamePattern = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const headerValuePattern = /^[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?$/;

const fitting =
  (pattern: RegExp, place: string) =>
  (secret: string): string | undefined =>
    pattern.test(secret)
      ? undefined
      : `holds characters that do not travel unchanged in ${place} (for several, give a list)`;
const asToken = fitting(tokenPattern, "a URL, as letters, digits and . _ ~ - do");
const asHeader = fitting(headerValuePattern, "a header, as printable ASCII does");

/** The verifiers of all credentials given, in the order they are asked. Throws `CREDENTIAL_INVALID`. */
export function verifiersOf(
  provider: Provider,
  credentials: Credentials,
  toleranceMs: number | undefined,
): readonly Verifier[] {
  const verifiers: Verifier[] = [];
  if ("token" in credentials) {
    verifiers.push(tokenVerifier(keyringOf("token", "token", credentials.token, asToken)));
  }
  if ("bearer" in credentials) {
    verifiers.push(bearerVerifier(keyringOf("bearer", "bearer", credentials.bearer, asHeader)));
  }
  if ("basic" in credentials) verifiers.push(basicOf(credentials.basic));
  if ("headers" in credentials) verifiers.push(...staticHeadersOf(credentials.headers));
  for (const kind of signatureKinds) {
    if (!(kind in credentials)) continue;
    verifiers.push(signatureVerifier(provider, kind, credentials[kind], toleranceMs));
  }
  refuseUnprotected(provider, verifiers);
  return verifiers;
}

/** The secrets that a provider's challenge may be answered with; undefined where it asks none. */
export function challengeKeyring(
  provider: Provider,
  credentials: Credentials,
): Keyring | undefined {
  const kind = provider.challenge?.credential;
  if (kind !== undefined && !provider.auth.includes(kind)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `provider "${provider.name}" answers its challenge with a ${kind}, which its auth does not name. Add it there.`,
    );
  }
  return kind !== undefined && kind in credentials
    ? keyringOf(kind, kind, credentials[kind])
    : undefined;
}

/** Whoever may leave a signature out must prove himself by something else; whoever always signs is held to it. */
function refuseUnprotected(
  { name, auth, signature }: Provider,
  verifiers: readonly Verifier[],
): void {
  if (signature === undefined || verifiers.length === 0) return;
  const { kind } = signature;
  const isGiven = verifiers.some(({ covers }) => covers === "body");
  if (signature.isOptional && isGiven && verifiers.length === 1) {
    throw invalidCredential(
      kind,
      `alone proves nothing: "${name}" may leave its signature out. Give a token as well, or demand the signature`,
    );
  }
  if (auth[0] === kind && !isGiven) {
    throw invalidCredential(
      kind,
      `is missing: "${name}" signs what it sends, so that is to be checked`,
    );
  }
}

function signatureVerifier(
  { name, signature, methods }: Provider,
  kind: (typeof signatureKinds)[number],
  secret: Secret,
  toleranceMs: number | undefined,
): Verifier {
  if (signature?.kind !== kind) {
    const where = `provider "${name}"`;
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `${where} has no signature that takes a ${kind}, so it proves nothing. Give its definition one.`,
    );
  }
  if (!signature.signsGet && methods.includes("GET")) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `provider "${name}" sends GET, which has no body to sign. Give its signature a content that holds the query.`,
    );
  }
  if (toleranceMs !== undefined && !signature.isTimed) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `provider "${name}" signs no time, so toleranceMs has no meaning.`,
    );
  }
  const keyring = keyringOf(kind, kind, secret, (text) => signature.refusal(text));
  let explainedAt = -Infinity;
  return {
    covers: "body",
    headers: signature.headers,
    reads: signature.reads,
    verify: (evidence) => {
      const parts = partsOf(signature, evidence);
      const { now, arrivedAt, fetch, report } = evidence;
      const mayExplain = (): boolean => {
        if (Math.abs(now - explainedAt) < explainedEveryMs) return false;
        explainedAt = now;
        return true;
      };
      return tried(keyring, "signature", evidence, (secrets) =>
        signature.judge(parts, secrets, {
          now,
          arrivedAt,
          fetch,
          report,
          toleranceMs,
          mayExplain,
        }),
      );
    },
  };
}

/** It costs as much as a dozen deliveries. */
const explainedEveryMs = 1000;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function partsOf({ signsUrl }: Signature, { headers, query, url, body }: Evidence): SignedParts {
  let json: { readonly value: unknown } | undefined;
  return {
    body,
    query,
    url: signsUrl ? url : "",
    header: (name) => headerOf(headers, name) ?? "",
    get json() {
      json ??= { value: jsonOf(body) };
      return json.value;
    },
  };
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body)) as unknown;
  } catch {
    return undefined;
  }
}

function basicOf(basic: Credentials["basic"]): Verifier {
  if (basic === undefined || typeof basic.user !== "string" || basic.user.includes(":")) {
    throw invalidCredential("basic", "needs a user (without a colon) and a password");
  }
  return basicVerifier(basic.user, keyringOf("basic.password", "basic", basic.password));
}

function staticHeadersOf(headers: Credentials["headers"]): Verifier[] {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) throw invalidCredential("headers", "names no header");
  return entries.map(([name, secret]) => {
    if (!headerNamePattern.test(name)) {
      throw invalidCredential("headers", "holds an impossible header name");
    }
    const held = `header ${name.toLowerCase()}`;
    return headerVerifier(name, keyringOf(`headers["${name}"]`, held, secret, asHeader));
  });
}
