/** Which acts somebody may do. */

import type { Act } from "@webhook-inbox/core";
import type { Role } from "../site/access.ts";
import type { Call } from "../call.ts";
import { may } from "../site/visit.ts";

export const roleFor: Readonly<Record<Act, Role>> = {
  replay: "act",
  release: "act",
  verify: "act",
  cancel: "act",
  erase: "erase",
};

export const isAct = (name: string): name is Act => Object.hasOwn(roleFor, name);

export function actsOf(call: Pick<Call, "access">): readonly Act[] {
  return (Object.keys(roleFor) as Act[]).filter((act) => may(call, roleFor[act]));
}
