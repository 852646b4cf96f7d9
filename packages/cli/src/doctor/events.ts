/** Whether events are handled: what waits, and what waits for a person. */

import { longestDue, standings, type Inbox } from "@webhook-inbox/core";
import { duration } from "../text.ts";
import { ok, warning, type Check } from "./check.ts";

const waitingMsMax = 600_000;

export async function eventChecks(inbox: Inbox): Promise<readonly Check[]> {
  const rows = standings(await inbox.tally());
  const sum = (state: "dead" | "quarantined" | "unhandled"): number =>
    rows.reduce((total, { standing }) => total + standing[state], 0);
  const checks: Check[] = [];
  for (const state of ["dead", "quarantined", "unhandled"] as const) {
    const count = sum(state);
    if (count > 0)
      checks.push(warning("events", `${count} ${state}: webhook-inbox list --state ${state}`));
  }
  const longest = await longestDue(inbox);
  const waitsMs = longest === undefined ? 0 : Date.now() - longest.dueAt;
  if (longest !== undefined && waitsMs > waitingMsMax) {
    checks.push(
      warning(
        "events",
        `one has been due for ${duration(waitsMs)}, and nobody has taken it up: webhook-inbox show ${longest.key}`,
      ),
    );
  }
  return checks.length > 0 ? checks : [ok("events", "none is dead, quarantined or unhandled")];
}
