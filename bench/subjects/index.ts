/** All subjects, by their names. */

import { byHand } from "./by-hand.ts";
import { disturbed } from "./disturbed.ts";
import { frameworks } from "./frameworks.ts";
import { inboxes } from "./inboxes.ts";
import { peers } from "./peers.ts";
import type { MakeSubject } from "./subject.ts";

export const subjects: Readonly<Record<string, MakeSubject>> = {
  ...frameworks,
  ...byHand,
  ...inboxes,
  ...peers,
  ...disturbed,
};
