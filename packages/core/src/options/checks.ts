/** What an option may be: the checks that several options share, each with an error that says what to write instead. */

import { WebhookInboxError } from "../errors.ts";

const delayMsMax = 366 * 86_400_000;

/** A retry schedule; undefined where none is given. */
export function delaysOf(
  option: string,
  delaysMs: readonly number[] | undefined,
): readonly number[] | undefined {
  if (delaysMs === undefined) return undefined;
  if (!Array.isArray(delaysMs) || delaysMs.some((delay) => !(delay >= 0 && delay <= delayMsMax))) {
    throw invalid(
      `${option} must be a list of milliseconds, such as [5_000, 60_000], each at most a year.`,
    );
  }
  return delaysMs;
}

/** A function, or nothing. */
export function functionOf<Fn>(option: string, value: Fn | undefined): Fn | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw invalid(`${option} must be a function.`);
}

/** One of some words; the first is the default. */
export function oneOf<const Value extends string>(
  option: string,
  value: Value | undefined,
  values: readonly [Value, ...Value[]],
): Value {
  if (value === undefined) return values[0];
  if (values.includes(value)) return value;
  throw invalid(`${option} must be one of ${values.join(", ")}, and is ${value}.`);
}

/** A positive whole number. */
export function wholeNumber(option: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(`${option} must be a positive whole number, and is ${String(value)}.`);
}

export function invalid(message: string): WebhookInboxError {
  return new WebhookInboxError("OPTION_INVALID", message);
}
