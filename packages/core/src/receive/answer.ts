/** Every answer the inbox gives. One body for each status, whatever the cause; nothing of the request is echoed. */

import type { Answer } from "../contracts/door.ts";
import type { Reply } from "../contracts/provider.ts";

function answer(status: number, body: string, more: Readonly<Record<string, string>> = {}): Answer {
  const headers = {
    "content-type": "text/plain",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...more,
  };
  return Object.freeze({ status, headers: Object.freeze(headers), body });
}

/** After a refusal the connection ends: what may follow on it is not worth believing. */
const closing = { connection: "close" };

/** What a provider wants to read, word for word. */
export function replied(reply: Reply): Answer {
  const made = answersOf.get(reply);
  if (made !== undefined) return made;
  const { status = 200, contentType = "text/plain", body } = reply;
  const fresh = answer(status, body, { "content-type": contentType });
  answersOf.set(reply, fresh);
  return fresh;
}

/** Nearly every delivery has the same one. */
const answersOf = new WeakMap<Reply, Answer>();
export const badRequest: Answer = answer(400, "bad request", closing);
export const unauthorized: Answer = answer(401, "unauthorized", {
  ...closing,
  "www-authenticate": "Bearer",
});
export const notFound: Answer = answer(404, "not found", closing);
export const tooSlow: Answer = answer(408, "request timeout", closing);
export const tooLarge: Answer = answer(413, "payload too large", closing);
export const headersTooLarge: Answer = answer(431, "request header fields too large", closing);
export const failure: Answer = answer(500, "error", closing);
export const notImplemented: Answer = answer(501, "not implemented", closing);

export function methodNotAllowed(methods: readonly string[]): Answer {
  return answer(405, "method not allowed", { ...closing, allow: methods.join(", ") });
}

/** Custody is not possible now. Spread over 1 to 5 s, so that not everybody comes back at once. */
export function unavailable(random: () => number): Answer {
  return answer(503, "unavailable", {
    ...closing,
    "retry-after": String(1 + Math.floor(random() * 5)),
  });
}
