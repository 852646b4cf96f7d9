/** What a handler may answer beside success and failure. */

import { WebhookInboxError } from "../errors.ts";

/** The same in every copy of the package. */
const brand: unique symbol = Symbol.for("webhook-inbox.answer");

/** Made by `retry` and `dead`; to be returned by a handler. */
export type HandlerAnswer = { readonly [brand]: true } & (
  | { readonly kind: "retry"; readonly afterMs: number }
  | { readonly kind: "dead"; readonly reason: string }
);

const afterMsMax = 366 * 86_400_000;
const reasonCharactersMax = 2000;

/**
 * `return retry({ afterMs })`: not now, but after so many milliseconds (at most a year) instead of what the schedule says,
 * as when an API answers 429 with `Retry-After`. It counts as an attempt: when the schedule has no further one, the event
 * is dead. Throws `HANDLER_INVALID` for a time that is none.
 */
export function retry(options: { readonly afterMs: number }): HandlerAnswer {
  // Plain JavaScript may give anything.
  const { afterMs }: { readonly afterMs?: unknown } = options ?? {};
  if (typeof afterMs !== "number" || !(afterMs >= 0 && afterMs <= afterMsMax)) {
    throw new WebhookInboxError(
      "HANDLER_INVALID",
      `retry({ afterMs }) needs milliseconds from 0 to a year, and got ${JSON.stringify(options)}.`,
    );
  }
  return { [brand]: true, kind: "retry", afterMs: Math.round(afterMs) };
}

/**
 * `return dead(reason)`: this handler will never succeed with this event, so it is not tried again. The event is dead when
 * its other handlers have come to an end, and `reason` (default: empty) is kept with it. A person can replay it.
 */
export function dead(reason: string | Error = ""): HandlerAnswer {
  const text = typeof reason === "string" ? reason : reason.message;
  return { [brand]: true, kind: "dead", reason: text.slice(0, reasonCharactersMax) };
}

/** Whether what a handler returned is such an answer. Total: handlers return anything. */
export function isAnswer(value: unknown): value is HandlerAnswer {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    return false;
  }
}
