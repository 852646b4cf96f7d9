/** The memory store: for tests. It keeps every promise but the first: what it holds ends with the process. */

import { systemClock, type Clock } from "../../contracts/clock.ts";
import {
  conflictsMax,
  type AuditAnswer,
  type Claim,
  type ClaimAnswer,
  type ClaimAsk,
  type Hold,
  type InterveneAnswer,
  type InterveneAsk,
  type Kept,
  type ListAnswer,
  type ListQuery,
  type NoTransaction,
  type PruneAnswer,
  type PruneAsk,
  type Selection,
  type Store,
  type TakeAsk,
  type Taken,
  type Tally,
  type TallyQuery,
} from "../../contracts/store.ts";
import { forever, type EventRecord, type EventState, type NewEvent } from "../../model/event.ts";
import type { Settlement } from "../../model/settlement.ts";
import { prunable } from "../../model/transitions.ts";
import {
  actedOn,
  bornRecord,
  headsAfter,
  joinsLane,
  waitsAfter,
  waitsInLane,
  isSameContent,
  isBornClaimed,
  limitOf,
  matches,
  Moves,
  placeOf,
  Room,
  variantOf,
} from "../records.ts";
import {
  byReceipt,
  claimableAt,
  claimRow,
  crashesIfClaimed,
  cursorOf,
  inOrder,
  isOpenTo,
  isSuspect,
  type Row,
} from "./rows.ts";
import { Tallies } from "./tallies.ts";

/**
 * A store in memory. `acceptLoss` says that losing acknowledged events is fine: without it, `createInbox` refuses this
 * store for providers that do not send again.
 */
export function memory(options: { readonly acceptLoss?: boolean } = {}): Store<NoTransaction> {
  return new MemoryStore(options.acceptLoss === true);
}

class MemoryStore implements Store<NoTransaction> {
  readonly supports = {
    durability: "none",
    shared: false,
    transactions: false,
    wakeups: false,
  } as const;
  readonly acceptsLoss: boolean;
  readonly #rows = new Map<string, Row>();
  /** Rows that may be claimed now or later: whatever is kept, a claim looks at these alone. */
  readonly #open = new Set<Row>();
  readonly #tallies = new Tallies();
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
    return this.#moving((moves) => this.#takeAll(events, ask, moves));
  }

  #takeAll(events: readonly NewEvent[], ask: TakeAsk, moves: Moves): readonly Taken[] {
    const room = new Room(ask);
    return events.map((event) => {
      const row = this.#rows.get(event.key);
      if (row !== undefined) return this.#takeAgain(event, row, ask, moves);
      return this.#insert(event, ask, isBornClaimed(event, room), moves);
    });
  }

  #insert(event: NewEvent, { fence, leaseMs }: TakeAsk, isClaimed: boolean, moves: Moves): Taken {
    const now = this.#clock.now();
    const { delivery, source, type, copies } = event;
    const row: Row = {
      event: bornRecord(event, now, isClaimed),
      delivery,
      contentHash: delivery.contentHash,
      seq: ++this.#seq,
      lanePlace: this.#seq,
      fence: isClaimed ? fence : undefined,
      leaseEndsAt: now + leaseMs,
      variants: [],
      conflicts: 0,
    };
    this.#rows.set(event.key, row);
    this.#index(row);
    moves.touch(row.event.lane?.key);
    moves.add({ source, type, from: undefined, to: row.event.state });
    if (copies > 1) moves.add({ source, type, from: undefined, to: "duplicate" }, copies - 1);
    return isClaimed
      ? { kind: "taken", claim: { event: row.event, delivery, fence } }
      : { kind: "taken" };
  }

  #takeAgain(event: NewEvent, row: Row, ask: TakeAsk, moves: Moves): Taken {
    if (row.fence === ask.fence) {
      const claim = { event: row.event, delivery: event.delivery, fence: ask.fence };
      return { kind: "taken", claim };
    }
    const isSame = isSameContent(row.contentHash, event.delivery.contentHash);
    if (isSame || event.conflictKey === undefined) return this.#count(row, event, moves);
    const variant = this.#rows.get(event.conflictKey);
    if (variant !== undefined) {
      this.#count(variant, event, moves);
      return { kind: "conflict", kept: true };
    }
    row.conflicts += 1;
    if (row.conflicts > conflictsMax) {
      const { source, type, copies } = event;
      moves.add({ source, type, from: undefined, to: "conflict" }, copies);
      return { kind: "conflict", kept: false };
    }
    row.variants.push(event.conflictKey);
    this.#insert(variantOf(event, event.conflictKey), ask, false, moves);
    return { kind: "conflict", kept: true };
  }

  #count(row: Row, { source, type, copies }: NewEvent, moves: Moves): Taken {
    row.event = { ...row.event, duplicates: row.event.duplicates + copies };
    moves.add({ source, type, from: undefined, to: "duplicate" }, copies);
    return { kind: "duplicate" };
  }

  async claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    const now = this.#clock.now();
    const room = new Room(ask);
    const claims: Claim[] = [];
    const left: Row[] = [];
    let suspects = ask.suspectsMax;
    let bytes = 0;
    const claimable = [...this.#open].filter((row) => claimableAt(row) !== undefined);
    for (const row of claimable.sort(inOrder)) {
      const { source, type } = row.event;
      const { delivery } = row;
      const at = claimableAt(row) ?? Infinity;
      if (delivery === undefined || !Object.hasOwn(ask.slots, source)) continue;
      const suspect = isSuspect(row) ? 1 : 0;
      if (suspect > suspects || crashesIfClaimed(row) > ask.crashesMax) continue;
      bytes += at > now ? 0 : delivery.body.length;
      const fits = claims.length === 0 || bytes <= ask.bytesMax;
      if (at > now || !fits || room.left(source, type) === 0) {
        left.push(row);
        continue;
      }
      room.use(source, type);
      suspects -= suspect;
      claims.push(claimRow(row, delivery, ask, now));
    }
    const instants = left
      .filter(({ event }) => !room.isFull(event.source, event.type))
      .filter((row) => !isSuspect(row) || suspects > 0)
      .map((row) => claimableAt(row) ?? Infinity);
    const nextDueInMs =
      instants.length === 0 ? undefined : Math.max(0, Math.min(...instants) - now);
    return { claims, nextDueInMs };
  }

  async extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]> {
    return holds.map(({ key, fence }) => {
      const row = this.#rows.get(key);
      if (row === undefined || row.fence !== fence) return false;
      row.leaseEndsAt = this.#clock.now() + leaseMs;
      return true;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#moving((moves) => settlements.map((one) => this.#settle(one, moves)));
  }

  #settle(
    { key, fence, outcome, finished, gaveUp, history, holdsLane = false }: Settlement,
    moves: Moves,
  ): boolean {
    const row = this.#rows.get(key);
    if (row === undefined || row.fence !== fence) return false;
    const { attempts, lane } = row.event;
    const isPending = outcome.state === "pending";
    const waits = lane !== undefined && waitsAfter(lane, outcome);
    const isHead = lane !== undefined && headsAfter(lane, { outcome, holdsLane });
    row.fence = undefined;
    this.#move(
      row,
      {
        ...row.event,
        state: outcome.state,
        reason: "reason" in outcome ? outcome.reason : undefined,
        dueAt: waits ? forever : isPending ? this.#clock.now() + outcome.afterMs : row.event.dueAt,
        lane: lane && { ...lane, isHead },
        attempts: isPending && outcome.handedBack ? attempts - 1 : attempts,
        crashes: isPending && !outcome.handedBack ? 0 : row.event.crashes,
        finished: [...new Set([...row.event.finished, ...finished])],
        gaveUp,
        history,
      },
      moves,
    );
    moves.touch(lane?.key);
    if (outcome.state === "done" && outcome.became !== undefined) {
      const { delivery } = row;
      const became = outcome.became.map((event) => (delivery ? { ...event, delivery } : event));
      this.#takeAll(became, { fence: "", leaseMs: 0, slots: {} }, moves);
    }
    return true;
  }

  async get(key: string): Promise<Kept | undefined> {
    const row = this.#rows.get(key);
    return row === undefined ? undefined : { event: row.event, delivery: row.delivery };
  }

  async list(query: ListQuery): Promise<ListAnswer> {
    const isUp = query.order === "oldest";
    const from = placeOf(query.cursor, isUp, query);
    const limit = limitOf(query);
    const direction = isUp ? 1 : -1;
    const rows = [...this.#rows.values()]
      .filter((row) => matches(row.event, query) && byReceipt(row, from) * direction > 0)
      .sort((a, b) => byReceipt(a, b) * direction);
    return {
      events: rows.slice(0, limit).map(({ event }) => event),
      cursor: cursorOf(rows, limit),
    };
  }

  async intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer> {
    const from = placeOf(ask.cursor, true, "keys" in selection ? {} : selection);
    const asked =
      "keys" in selection
        ? [...new Set(selection.keys)].flatMap((key) => this.#rows.get(key) ?? [])
        : [...this.#rows.values()]
            .filter((row) => matches(row.event, selection) && byReceipt(row, from) > 0)
            .sort(byReceipt);
    const rows = asked.filter((row) => isOpenTo(row, ask.act));
    const page = "keys" in selection ? rows : rows.slice(0, ask.limit);
    const cursor = "keys" in selection ? undefined : cursorOf(rows, ask.limit);
    const chosen = ask.act === "erase" ? this.#withKin(page) : page;
    if (!ask.dryRun) {
      const now = this.#clock.now();
      this.#moving((moves) => {
        for (const row of chosen) this.#act(row, ask, now, moves);
      });
    }
    return { keys: chosen.map(({ event }) => event.key), cursor };
  }

  #act(row: Row, ask: InterveneAsk, now: number, moves: Moves): void {
    const { lane } = row.event;
    if (joinsLane(row.event)) row.lanePlace = ++this.#seq;
    this.#move(row, actedOn(row.event, ask, now, now + (ask.afterMs ?? 0)), moves);
    row.fence = undefined;
    moves.touch(lane?.key);
    if (ask.act !== "erase") return;
    row.delivery = undefined;
    row.contentHash = "";
  }

  /** With all events of their deliveries and all variants of their ids. */
  #withKin(rows: readonly Row[]): readonly Row[] {
    const kin = new Set(rows);
    for (const { event, delivery, variants } of kin) {
      for (const other of this.#rows.values()) {
        const isSibling = delivery !== undefined && other.delivery === delivery;
        const isVariant = variants.includes(other.event.key) || other.variants.includes(event.key);
        if (isSibling || isVariant) kin.add(other);
      }
    }
    return [...kin].filter(({ event }) => event.state !== "erased");
  }

  async prune(ask: PruneAsk): Promise<PruneAnswer> {
    const now = this.#clock.now();
    const rows = [...this.#rows.values()];
    const surplus = surplusOf(rows, ask.refusedMax);
    const isOver = (row: Row, ms: number): boolean =>
      surplus.has(row) || (prunable.includes(row.event.state) && row.event.receivedAt < now - ms);
    const needed = new Set(
      rows.filter((row) => !isOver(row, ask.payloadMs)).map(({ delivery }) => delivery),
    );
    const over = rows.filter(({ delivery }) => delivery !== undefined && !needed.has(delivery));
    const payloads = new Set(over.slice(0, ask.limit).map(({ delivery }) => delivery));
    for (const row of rows) if (payloads.has(row.delivery)) row.delivery = undefined;
    const keys = rows
      .filter((row) => row.delivery === undefined && isOver(row, ask.keyMs))
      .slice(0, ask.limit);
    this.#moving((moves) => {
      for (const { event } of keys) {
        const { key, source, type, state } = event;
        this.#rows.delete(key);
        moves.add({ source, type, from: state, to: "pruned" });
      }
    });
    this.#tallies.fold(ask, now);
    const isMore = over.length > ask.limit || keys.length === ask.limit;
    return {
      payloads: payloads.size,
      keys: keys.length,
      cursor: isMore ? "" : undefined,
    };
  }

  async tally(query: TallyQuery): Promise<readonly Tally[]> {
    return this.#tallies.read(query);
  }

  async audit(): Promise<AuditAnswer> {
    const counted: Partial<Record<EventState, number>> = {};
    for (const { event } of this.#rows.values()) {
      counted[event.state] = (counted[event.state] ?? 0) + 1;
    }
    return { tallies: await this.tally({}), counted };
  }

  /** Lets as many of a lane be heads as may be, those with the first places. */
  #advance(key: string): void {
    const rows = [...this.#rows.values()].filter(({ event }) => event.lane?.key === key);
    const waiting = rows
      .filter(({ event }) => waitsInLane(event))
      .sort((a, b) => a.lanePlace - b.lanePlace);
    const heads = rows.filter(({ event }) => event.lane?.isHead === true).length;
    const max = waiting[0]?.event.lane?.max ?? 0;
    for (const row of waiting.slice(0, Math.max(0, max - heads))) {
      const { lane } = row.event;
      row.event = {
        ...row.event,
        dueAt: this.#clock.now(),
        lane: lane && { ...lane, isHead: true },
      };
    }
  }

  #move(row: Row, event: EventRecord, moves: Moves): void {
    const { source, type, state: from } = row.event;
    moves.add({ source, type, from, to: event.state });
    row.event = event;
    this.#index(row);
  }

  #index(row: Row): void {
    const { state } = row.event;
    if (state === "pending" || state === "running") this.#open.add(row);
    else this.#open.delete(row);
  }

  #moving<T>(work: (moves: Moves) => T): T {
    const moves = new Moves();
    const result = work(moves);
    for (const lane of moves.lanes) this.#advance(lane);
    this.#tallies.write(moves, this.#clock.now());
    return result;
  }
}

/** Of each source all refused ones but the newest. */
function surplusOf(rows: readonly Row[], refusedMax: number): ReadonlySet<Row> {
  const refused = rows
    .filter(({ event }) => event.state === "refused")
    .toSorted((a, b) => byReceipt(b, a));
  const counts = new Map<string, number>();
  return new Set(
    refused.filter(({ event: { source } }) => {
      const count = (counts.get(source) ?? 0) + 1;
      counts.set(source, count);
      return count > refusedMax;
    }),
  );
}
