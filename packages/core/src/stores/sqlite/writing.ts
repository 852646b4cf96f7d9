/** What a write works with that moves events between states. It is made for one transaction. */

import type { Moves } from "../records.ts";
import type { Prepare } from "./connection.ts";
import type { Keys } from "./keys.ts";

export interface Writing {
  readonly prepare: Prepare;
  readonly keys: Keys;
  readonly now: number;
  readonly moves: Moves;
}
