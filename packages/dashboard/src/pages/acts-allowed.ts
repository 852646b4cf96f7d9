/** Which acts somebody may do. */

import type { Act } from "@webhook-inbox/core";
import type { Role } from "../site/access.ts";
import type { Call } from "../call.ts";
import { may, Refusal } from "../site/visit.ts";
import { actLabel } from "../words.ts";

const roleFor: Readonly<Record<Act, Role>> = {
  replay: "act",
  release: "act",
  verify: "act",
  cancel: "act",
  erase: "erase",
};

export const isAct = (name: string): name is Act => Object.hasOwn(roleFor, name);

/** Throws 403. */
export function refuseUnless(call: Pick<Call, "access">, act: Act): void {
  if (may(call, roleFor[act])) return;
  throw new Refusal(403, `You may not ${actLabel[act].toLowerCase()} events.`);
}

export function actsOf(call: Pick<Call, "access">): readonly Act[] {
  return (Object.keys(roleFor) as Act[]).filter((act) => may(call, roleFor[act]));
}
