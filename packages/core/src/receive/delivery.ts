/** What is kept of a request: all of it, but for its credentials. */

import type { Gate } from "../contracts/source.ts";
import { sha256 } from "../hash.ts";
import { queryOf, type Delivery, type DeliveryHead } from "../model/delivery.ts";

/** Headers that carry credentials of other parties, whatever the source. */
const alwaysSecret: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
]);

/** The delivery as it is stored: `token`, which was verified, stands nowhere in it. */
export function deliveryOf(
  gate: Gate,
  head: DeliveryHead,
  read: Omit<Delivery, "method" | "headers" | "contentHash"> & {
    readonly token: string | undefined;
  },
): Delivery {
  const { token, target, ...rest } = read;
  const headers = withoutCredentials(head.headers, gate.secretHeaders);
  const stored = withoutToken(target, token);
  return {
    ...rest,
    method: head.method,
    target: stored,
    headers: headers.map((text) => withoutToken(text, token)),
    contentHash: contentHashOf(head.method, stored, read.body),
  };
}

/** A POST says what its body says, whatever is appended to its URL; a GET what its parameters say, but for the token. */
function contentHashOf(method: string, target: string, body: Uint8Array): string {
  if (method !== "GET") return sha256(body).toString("hex");
  const parameters = queryOf(target).split(/[&?]/);
  return sha256(parameters.filter((one) => one !== "token=***").join("&")).toString("hex");
}

function withoutCredentials(
  headers: readonly string[],
  secret: ReadonlySet<string>,
): readonly string[] {
  return headers.map((text, index) => {
    if (index % 2 === 0) return text;
    const name = headers[index - 1]?.toLowerCase() ?? "";
    return text !== "" && (alwaysSecret.has(name) || secret.has(name)) ? "***" : text;
  });
}

/** Proxies repeat the URL in headers of their own. A token so short that it may be a word by chance is left there. */
const tokenCharactersMin = 8;

function withoutToken(text: string, token: string | undefined): string {
  return token === undefined || token.length < tokenCharactersMin
    ? text
    : text.replaceAll(token, "***");
}
