/** What stores do alike around a call: a deadline, and how a handler's transaction comes to nothing. */

import { WebhookInboxError } from "../errors.ts";

/** Rejects when `promise` takes longer; its own end is then of no interest any more. */
export async function inTime<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => undefined);
  }
}

/** What the user's function threw, carried past everything that looks at errors of the database. */
export class Undone {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

const spoilers = new WeakSet<object>();

/** Marks an error after which nobody knows what its connection is in the midst of. */
export function spoils(error: unknown): void {
  if (typeof error === "object" && error !== null) spoilers.add(error);
}

/** Whether an error was marked so. */
export const isSpoiler = (error: unknown): boolean =>
  typeof error === "object" && error !== null && spoilers.has(error);

/** A handler's transaction, for `committed`. */
export interface Committing<T> {
  /** Runs it to its commit; calls `written` with the result once all of it is written, just before that. */
  readonly run: (written: (result: T) => T) => Promise<T>;
  /** Whether its completion is there. */
  readonly wasFinished: () => Promise<boolean>;
  /** What an error of the database is to its caller. */
  readonly unavailable: (error: unknown) => unknown;
}

/** Runs a transaction. Where the answer to its commit was lost on its way, it counts as committed if its completion is there. */
export async function committed<T>({ run, wasFinished, unavailable }: Committing<T>): Promise<T> {
  let written: { readonly result: T } | undefined;
  try {
    return await run((result) => {
      written = { result };
      return result;
    });
  } catch (error) {
    if (error instanceof Undone) throw error.error;
    if (written !== undefined && (await wasFinished())) return written.result;
    throw unavailable(error);
  }
}

/** For a transaction of who has the event of this key in hand no more. */
export function claimLost(key: string): WebhookInboxError {
  return new WebhookInboxError(
    "CLAIM_LOST",
    `event ${key} is not in this worker's hand any more: it was settled, taken over by another one, or ended by a ` +
      "person. Nothing of the transaction was kept.",
  );
}
