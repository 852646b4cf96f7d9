/** What a transaction that moves events works with. */

import type { Moves } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import type { Tables } from "./tables.ts";

/** A transaction that moves events. */
export interface Writing {
  readonly run: Run;
  readonly tables: Tables;
  /** Now, by the server's clock, when it began. */
  readonly now: number;
  /** What moves in it: tallied before its commit. */
  readonly moves: Moves;
}
