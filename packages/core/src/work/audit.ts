/** The audit: holds the ledger of what went which way against the events that are there. */

import type { AuditAnswer } from "../contracts/store.ts";
import type { EventState } from "../model/event.ts";

/** An account of every event that was ever taken. */
export interface Audit {
  /** Events ever taken. */
  readonly taken: number;
  /** Further deliveries of events, and variants of known ids that were not kept. */
  readonly duplicates: number;
  readonly conflicts: number;
  /** Events that were forgotten because of their age. */
  readonly pruned: number;
  /** Events that are there, by state, counted one by one. */
  readonly standing: Readonly<Partial<Record<EventState, number>>>;
  /** Deliveries that wait in the spill of this instance: acknowledged, and not counted among those taken yet. */
  readonly spilled: number;
  /** Taken, but neither there nor pruned: 0, or events were lost. */
  readonly missing: number;
  /** Whether the ledger and the count agree in every state (`pending` and `running` taken together). */
  readonly isBalanced: boolean;
}

export function auditOf({ tallies, counted }: AuditAnswer, spilled: number): Audit {
  const sum = (isMeant: (tally: AuditAnswer["tallies"][number]) => boolean): number =>
    tallies.filter(isMeant).reduce((total, { count }) => total + count, 0);
  const duplicates = sum(({ to }) => to === "duplicate");
  const conflicts = sum(({ to }) => to === "conflict");
  const pruned = sum(({ to }) => to === "pruned");
  const taken = sum(({ from }) => from === undefined) - duplicates - conflicts;
  const there = Object.values(counted).reduce((total, count) => total + count, 0);

  const balance = new Map<string, number>();
  const add = (state: string | undefined, change: number): void => {
    // Claims are not tallied: an event goes to and fro between these two.
    const name = state === "running" ? "pending" : (state ?? "");
    balance.set(name, (balance.get(name) ?? 0) + change);
  };
  for (const { from, to, count } of tallies) {
    add(from, -count);
    add(to, count);
  }
  for (const [state, count] of Object.entries(counted)) add(state, -count);
  for (const outside of ["", "duplicate", "conflict", "pruned"]) balance.delete(outside);
  return {
    taken,
    duplicates,
    conflicts,
    pruned,
    standing: counted,
    spilled,
    missing: taken - pruned - there,
    isBalanced: [...balance.values()].every((difference) => difference === 0),
  };
}
