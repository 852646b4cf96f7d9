/** How the command ends: the exit codes, and which error leads to which. */

import { isWebhookInboxError, type ErrorCode } from "@webhook-inbox/core";

/** The codes are documented: scripts branch on them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  storeUnavailable: 5,
} as const;

/** An end of the command with a code of its own. */
export class Exit extends Error {
  readonly exitCode: number;

  constructor(kind: keyof typeof exitCodes, message: string) {
    super(message);
    this.exitCode = exitCodes[kind];
  }
}

const codesOf: Partial<Record<ErrorCode, number>> = {
  OPTION_INVALID: exitCodes.usage,
  SELECTION_INVALID: exitCodes.usage,
  STORE_UNAVAILABLE: exitCodes.storeUnavailable,
  STORE_INCOMPATIBLE: exitCodes.storeUnavailable,
  STORE_LOSSY: exitCodes.storeUnavailable,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof Exit) return error.exitCode;
  return (isWebhookInboxError(error) ? codesOf[error.code] : undefined) ?? exitCodes.failed;
}
