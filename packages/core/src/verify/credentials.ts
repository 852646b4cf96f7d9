/** From the credentials in a source's options to its verifiers. Refuses what cannot be a secret before anything starts. */

import type { CredentialKind, Credentials, Provider, Secret } from "../contracts/provider.ts";
import type { Verifier } from "../contracts/verifier.ts";
import { WebhookInboxError } from "../errors.ts";
import { basicVerifier, bearerVerifier, headerVerifier } from "./headers.ts";
import { hmacVerifier } from "./hmac.ts";
import { tokenVerifier } from "./token.ts";

export const credentialKinds: readonly CredentialKind[] = [
  "token",
  "bearer",
  "basic",
  "headers",
  "secret",
];

/** Characters that a path segment or a header may carry as they are; a token with others would not arrive as set. */
const tokenPattern = /^[A-Za-z0-9._~-]+$/;
const headerNamePattern = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const headerValuePattern = /^[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?$/;

/** The verifiers of all credentials given, in the order they are asked. Throws `CREDENTIAL_INVALID`. */
export function verifiersOf(provider: Provider, credentials: Credentials): readonly Verifier[] {
  const verifiers: Verifier[] = [];
  if ("token" in credentials) {
    verifiers.push(tokenVerifier(secretsOf("token", credentials.token, tokenPattern)));
  }
  if ("bearer" in credentials) {
    verifiers.push(bearerVerifier(secretsOf("bearer", credentials.bearer, headerValuePattern)));
  }
  if ("basic" in credentials) verifiers.push(basicOf(credentials.basic));
  if ("headers" in credentials) verifiers.push(...staticHeadersOf(credentials.headers));
  if ("secret" in credentials) verifiers.push(signatureOf(provider, credentials.secret));
  return verifiers;
}

function signatureOf({ name, signature, methods }: Provider, secret: Secret): Verifier {
  if (signature === undefined) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `provider "${name}" has no signature, so a secret proves nothing. Give its definition a signature.`,
    );
  }
  if (signature.content === undefined && methods.includes("GET")) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `provider "${name}" sends GET, which has no body to sign. Give its signature a content that holds the query.`,
    );
  }
  const secrets = secretsOf("secret", secret);
  if (signature.key === "base64" && !secrets.every(isBase64)) {
    throw invalid("secret", "is not the base64 text that its signature needs");
  }
  return hmacVerifier(signature, secrets);
}

function isBase64(text: string): boolean {
  return text !== "" && Buffer.from(text, "base64").toString("base64") === text;
}

function basicOf(basic: Credentials["basic"]): Verifier {
  if (basic === undefined || typeof basic.user !== "string" || basic.user.includes(":")) {
    throw invalid("basic", "needs a user (without a colon) and a password");
  }
  return basicVerifier(basic.user, secretsOf("basic.password", basic.password));
}

function staticHeadersOf(headers: Credentials["headers"]): Verifier[] {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) throw invalid("headers", "names no header");
  return entries.map(([name, secret]) => {
    if (!headerNamePattern.test(name)) throw invalid("headers", "holds an impossible header name");
    return headerVerifier(name, secretsOf(`headers["${name}"]`, secret, headerValuePattern));
  });
}

/**
 * The secrets of one credential. Refused are undefined, an empty list, and texts that an unset variable makes; the
 * literal `NULL` is what SocialData signs with while no secret is set, so that anybody could sign.
 */
function secretsOf(option: string, secret: Secret, pattern?: RegExp): readonly string[] {
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (!Array.isArray(secrets)) throw invalid(option, "is undefined");
  if (secrets.length === 0) throw invalid(option, "is an empty list");
  for (const one of secrets as readonly unknown[]) {
    if (typeof one !== "string") throw invalid(option, `is ${one === null ? "null" : typeof one}`);
    if (one.trim() === "") throw invalid(option, "is empty");
    if (one === "NULL" || /(?:undefined|null)$/.test(one)) {
      throw invalid(option, "looks like an unset variable");
    }
    if (pattern !== undefined && !pattern.test(one)) {
      throw invalid(
        option,
        "holds characters that do not travel unchanged (for several, give a list)",
      );
    }
  }
  return secrets;
}

function invalid(option: string, what: string): WebhookInboxError {
  return new WebhookInboxError(
    "CREDENTIAL_INVALID",
    `${option} ${what}. Set it to the secret that the provider sends (is the environment variable that it is read from ` +
      `set?), or write auth: "none" to take deliveries from anybody.`,
  );
}
