/** `verify-again`: after a wrong secret was put right. */

import { userInfo } from "node:os";
import { type Inbox, visibleJson } from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import type { ActOptions } from "./act.ts";

export async function verifyAgain(
  inbox: Inbox,
  { source, by, why, dryRun = false, json = false }: ActOptions & { readonly source?: string },
  { out }: Console,
): Promise<void> {
  const done = await inbox.verifyAgain({
    by: by ?? userInfo().username,
    reason: why ?? "",
    dryRun,
    ...(source === undefined ? {} : { source }),
  });
  if (json) return void out.write(`${visibleJson({ act: "verify", dryRun, ...done })}\n`);
  const refused = Object.entries(done.refused).map(([code, count]) => `${count} ${code}`);
  const still = refused.length === 0 ? "" : ` Refused still: ${refused.join(", ")}.`;
  const were = done.count === 1 ? "1 delivery was" : `${done.count} deliveries were`;
  out.write(`${were} authentic${dryRun ? ", and would be handled" : ""}.${still}\n`);
}
