/** The memory store: for tests. It keeps every promise but the first: what it holds ends with the process. */

import { systemClock, type Clock } from "../contracts/clock.ts";
import {
  conflictsMax,
  type Claim,
  type ClaimAnswer,
  type ClaimAsk,
  type ListAnswer,
  type ListQuery,
  type NewEvent,
  type Store,
  type TakeAsk,
  type Taken,
} from "../contracts/store.ts";
import type { Delivery } from "../model/delivery.ts";
import type { EventRecord } from "../model/event.ts";
import type { Settlement } from "../model/settlement.ts";
import { bornRecord, isBornClaimed, limitOf, variantOf } from "./records.ts";

interface Row {
  event: EventRecord;
  readonly delivery: Delivery;
  readonly seq: number;
  fence: string | undefined;
  leaseEndsAt: number;
  /** Variants of this event with other bytes. */
  conflicts: number;
}

/**
 * A store in memory. `acceptLoss` says that losing acknowledged events is fine: without it, `createInbox` refuses this
 * store for providers that do not send again.
 */
export function memory(options: { readonly acceptLoss?: boolean } = {}): Store {
  return new MemoryStore(options.acceptLoss === true);
}

class MemoryStore implements Store {
  readonly supports = { durability: "none", shared: false } as const;
  readonly acceptsLoss: boolean;
  readonly #rows = new Map<string, Row>();
  #clock: Clock = systemClock;
  #seq = 0;

  constructor(acceptsLoss: boolean) {
    this.acceptsLoss = acceptsLoss;
  }

  async open({ clock }: { readonly clock: Clock }): Promise<void> {
    this.#clock = clock;
  }

  async close(): Promise<void> {}

  async take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    let claimed = 0;
    return events.map((event) => {
      const row = this.#rows.get(event.key);
      if (row !== undefined) return this.#takeAgain(event, row, ask);
      const isClaimed = isBornClaimed(event, ask, claimed);
      if (isClaimed) claimed += 1;
      return this.#insert(event, ask, isClaimed);
    });
  }

  #insert(event: NewEvent, { fence, leaseMs }: TakeAsk, isClaimed: boolean): Taken {
    const now = this.#clock.now();
    const row: Row = {
      event: bornRecord(event, now, isClaimed),
      delivery: event.delivery,
      seq: ++this.#seq,
      fence: isClaimed ? fence : undefined,
      leaseEndsAt: now + leaseMs,
      conflicts: 0,
    };
    this.#rows.set(event.key, row);
    return isClaimed ? { kind: "taken", claim: claimOf(row, fence) } : { kind: "taken" };
  }

  #takeAgain(event: NewEvent, row: Row, ask: TakeAsk): Taken {
    if (row.fence === ask.fence) return { kind: "taken", claim: claimOf(row, ask.fence) };
    const isSame = row.delivery.contentHash === event.delivery.contentHash;
    if (isSame || event.conflictKey === undefined) return this.#count(row, event);
    const variant = this.#rows.get(event.conflictKey);
    if (variant !== undefined) {
      this.#count(variant, event);
      return { kind: "conflict", kept: true };
    }
    row.conflicts += 1;
    if (row.conflicts > conflictsMax) return { kind: "conflict", kept: false };
    this.#insert(variantOf(event, event.conflictKey), ask, false);
    return { kind: "conflict", kept: true };
  }

  #count(row: Row, { copies }: NewEvent): Taken {
    row.event = { ...row.event, duplicates: row.event.duplicates + copies };
    return { kind: "duplicate" };
  }

  async claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    const now = this.#clock.now();
    const left = { ...ask.slots };
    const claims: Claim[] = [];
    let suspects = ask.suspectsMax;
    let bytes = 0;
    let nextDueAt: number | undefined;
    for (const row of [...this.#rows.values()].sort(inOrder)) {
      const { source } = row.event;
      const at = claimableAt(row);
      if (at === undefined || left[source] === undefined) continue;
      const suspect = isSuspect(row) ? 1 : 0;
      if (suspect > suspects) continue;
      bytes += row.delivery.body.length;
      const fits = claims.length === 0 || bytes <= ask.bytesMax;
      if (at > now || left[source] === 0 || !fits) {
        nextDueAt = Math.min(nextDueAt ?? at, at);
        continue;
      }
      left[source] -= 1;
      suspects -= suspect;
      claims.push(claimRow(row, ask, now));
    }
    return {
      claims,
      nextDueInMs: nextDueAt === undefined ? undefined : Math.max(0, nextDueAt - now),
    };
  }

  async extend(
    claims: readonly Pick<Claim, "event" | "fence">[],
    leaseMs: number,
  ): Promise<readonly boolean[]> {
    return claims.map(({ event, fence }) => {
      const row = this.#rows.get(event.key);
      if (row === undefined || row.fence !== fence) return false;
      row.leaseEndsAt = this.#clock.now() + leaseMs;
      return true;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return settlements.map(({ key, fence, outcome, finished, history }) => {
      const row = this.#rows.get(key);
      if (row === undefined || row.fence !== fence) return false;
      const { attempts } = row.event;
      const isPending = outcome.state === "pending";
      row.fence = undefined;
      row.event = {
        ...row.event,
        state: outcome.state,
        reason: "reason" in outcome ? outcome.reason : undefined,
        dueAt: isPending ? this.#clock.now() + outcome.afterMs : row.event.dueAt,
        attempts: isPending && outcome.handedBack ? attempts - 1 : attempts,
        finished,
        history,
      };
      return true;
    });
  }

  async get(
    key: string,
  ): Promise<{ readonly event: EventRecord; readonly delivery: Delivery } | undefined> {
    const row = this.#rows.get(key);
    return row === undefined ? undefined : { event: row.event, delivery: row.delivery };
  }

  async list(query: ListQuery): Promise<ListAnswer> {
    const before = query.cursor === undefined ? Infinity : Number(query.cursor);
    const limit = limitOf(query);
    const rows = [...this.#rows.values()]
      .filter(({ event, seq }) => seq < before && matches(event, query))
      .sort((a, b) => b.seq - a.seq);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      events: rows.slice(0, limit).map(({ event }) => event),
      cursor: last === undefined ? undefined : String(last.seq),
    };
  }
}

function claimRow(row: Row, { fence, leaseMs }: ClaimAsk, now: number): Claim {
  const { attempts, crashes, state } = row.event;
  row.event = {
    ...row.event,
    state: "running",
    attempts: attempts + 1,
    crashes: state === "running" ? crashes + 1 : crashes,
  };
  row.fence = fence;
  row.leaseEndsAt = now + leaseMs;
  return claimOf(row, fence);
}

function claimOf({ event, delivery }: Row, fence: string): Claim {
  return { event, delivery, fence };
}

/** When a row may be claimed: when it is due, or when its lease has ended; undefined if never. */
function claimableAt({ event, leaseEndsAt }: Row): number | undefined {
  if (event.state === "pending") return event.dueAt;
  return event.state === "running" ? leaseEndsAt : undefined;
}

/** Whether its last worker died with it, or would have if this were asked a little later. */
function isSuspect({ event }: Row): boolean {
  return event.crashes > 0 || event.state === "running";
}

/** Most crashes first, then oldest due. */
function inOrder(a: Row, b: Row): number {
  const byCrashes = b.event.crashes - a.event.crashes;
  return byCrashes || (claimableAt(a) ?? 0) - (claimableAt(b) ?? 0) || a.seq - b.seq;
}

function matches(event: EventRecord, { source, type, state }: ListQuery): boolean {
  return (
    (source === undefined || event.source === source) &&
    (type === undefined || event.type === type) &&
    (state === undefined || event.state === state)
  );
}
