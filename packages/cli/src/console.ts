/** Where a command reads and writes, so that it can be run by a shell and by tests. */

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string | Uint8Array): unknown;
}

export interface Console {
  /** What was asked for. */
  readonly out: Output;
  /** What goes with it: progress, warnings, errors. */
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user wants it to end. */
  readonly stopped: AbortSignal;
  /** Asks the person at the terminal. */
  readonly ask: (question: string) => Promise<string>;
}
