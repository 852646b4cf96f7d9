/** What is kept of a request: all of it, but for its credentials. */

import type { Gate } from "../contracts/source.ts";
import { sha256Hex } from "../hash.ts";
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
  const stored = withoutToken(target, token);
  return {
    ...rest,
    method: head.method,
    target: stored,
    headers: keptHeaders(head.headers, gate.secretHeaders, token),
    contentHash: contentHashOf(head.method, stored, read.body),
  };
}

/** A POST says what its body says, whatever is appended to its URL; a GET what its parameters say, but for the token. */
function contentHashOf(method: string, target: string, body: Uint8Array): string {
  if (method !== "GET") return sha256Hex(body);
  const parameters = queryOf(target).split(/[&?]/);
  return sha256Hex(parameters.filter((one) => one !== "token=***").join("&"));
}

function keptHeaders(
  headers: readonly string[],
  secret: ReadonlySet<string>,
  token: string | undefined,
): readonly string[] {
  let isSecret = false;
  return headers.map((text, index) => {
    if (index % 2 === 0) {
      const name = text.toLowerCase();
      isSecret = alwaysSecret.has(name) || secret.has(name);
      return withoutToken(text, token);
    }
    return isSecret && text !== "" ? "***" : withoutToken(text, token);
  });
}

/** Proxies repeat the URL in headers of their own. A token so short that it may be a word by chance is left there. */
const tokenCharactersMin = 8;

function withoutToken(text: string, token: string | undefined): string {
  return token === undefined || token.length < tokenCharactersMin
    ? text
    : text.replaceAll(token, "***");
}
