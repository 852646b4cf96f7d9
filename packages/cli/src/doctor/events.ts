/** Whether events are handled: what waits, and what waits for a person. */

import { standings, type Inbox } from "@webhook-inbox/core";
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
  const [oldest] = (await inbox.list({ state: "pending", order: "oldest", limit: 1 })).events;
  const waitsMs = oldest === undefined ? 0 : Date.now() - oldest.receivedAt;
  if (oldest !== undefined && waitsMs > waitingMsMax) {
    checks.push(
      warning(
        "events",
        `the oldest one waits for ${duration(waitsMs)}: webhook-inbox show ${oldest.key}`,
      ),
    );
  }
  return checks.length > 0 ? checks : [ok("events", "none is dead, quarantined or unhandled")];
}
