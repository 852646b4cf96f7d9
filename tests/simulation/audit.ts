/** Whether a store's ledger agrees with what it holds. */

import type { Store } from "@webhook-inbox/core";

export async function auditIsBalanced(store: Store): Promise<boolean> {
  const { tallies, counted } = await store.audit();
  const balance = new Map<string, number>();
  const add = (state: string, change: number): void => {
    const name = state === "running" ? "pending" : state;
    balance.set(name, (balance.get(name) ?? 0) + change);
  };
  for (const { from, to, count } of tallies) {
    add(to, count);
    if (from !== undefined) add(from, -count);
  }
  for (const [state, count] of Object.entries(counted)) add(state, -count);
  for (const outside of ["duplicate", "conflict", "pruned"]) balance.delete(outside);
  return [...balance.values()].every((difference) => difference === 0);
}
