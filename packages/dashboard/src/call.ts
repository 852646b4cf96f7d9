/** A visit to the dashboard. */

import type { Inbox } from "@webhook-inbox/core";
import type { Runs } from "./runs.ts";
import type { Visit } from "./site/visit.ts";

/** What the dashboard uses of an inbox. */
export type ShownInbox = Pick<
  Inbox,
  | "list"
  | "get"
  | "tally"
  | "view"
  | "reveal"
  | "replay"
  | "release"
  | "verifyAgain"
  | "cancel"
  | "erase"
>;

export interface Call extends Visit {
  readonly inbox: ShownInbox;
  readonly runs: Runs;
}
