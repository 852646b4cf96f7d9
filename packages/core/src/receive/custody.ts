/**
 * Custody: the moment a delivery becomes ours to lose. Deliveries that wait at the same time share one commit; equal
 * ones are folded into one row with a count, so that a batch never holds a key twice.
 */

import type { Claim, Store, TakeAsk, Taken } from "../contracts/store.ts";
import { isStoreAway } from "../errors.ts";
import { groupCommit } from "../group-commit.ts";
import type { NewEvent } from "../model/event.ts";

export interface Custody {
  /**
   * Takes the events of one delivery. Resolves when they are durable; rejects when that is not certain. What nobody waits
   * for any more when its turn comes is left out.
   */
  take(events: readonly NewEvent[], isWanted?: () => boolean): Promise<readonly Taken[]>;
  /** Resolves when nothing is waiting to be taken. */
  flushed(): Promise<void>;
}

export interface CustodyNeeds {
  readonly store: Pick<Store, "take">;
  /** Terms for a batch: its fence, and how many events may be born claimed. */
  readonly terms: (events: readonly NewEvent[]) => TakeAsk;
  /** Gets what was born claimed under those terms; `left` says whether other events were taken. Called once per `terms`. */
  readonly begin: (claims: readonly Claim[], ask: TakeAsk, left: boolean) => void;
}

/** A commit holds up everything else: what is more waits for the next. */
const rowsMax = 256;
const bytesMax = 2 * 1024 * 1024;

type Outcome = { readonly taken: readonly Taken[] } | { readonly error: unknown };

interface Entry {
  readonly events: readonly NewEvent[];
  readonly isWanted: () => boolean;
}

export function createCustody({ store, terms, begin }: CustodyNeeds): Custody {
  const commits = groupCommit<Entry, Outcome>(commitWaiting, (waiting) =>
    batchLength(waiting.map(({ events }) => events)),
  );

  async function commitWaiting(batch: readonly Entry[]): Promise<readonly Outcome[]> {
    const isWanted = batch.map((one) => one.isWanted());
    const wanted = batch.filter((_, index) => isWanted[index]).map(({ events }) => events);
    const outcomes = wanted.length === 0 ? [] : await commit(wanted, true);
    let next = 0;
    return isWanted.map((is) => (is ? (outcomes[next++] as Outcome) : withdrawn));
  }

  async function commit(
    batch: readonly (readonly NewEvent[])[],
    mayHalve: boolean,
  ): Promise<readonly Outcome[]> {
    const folded = fold(batch.flat());
    const ask = terms(folded);
    let answers: readonly Taken[];
    try {
      answers = await store.take(folded, ask);
    } catch (error) {
      begin([], ask, false);
      return isStoreAway(error) || !mayHalve || batch.length === 1
        ? batch.map(() => ({ error }))
        : await halved(batch);
    }
    begin(claimsOf(answers), ask, answers.some(isWaiting));
    return spread(batch, folded, answers);
  }

  /**
   * A batch that failed for another cause than the store's absence holds a row that cannot be taken: find it. Where one
   * half fails as a whole, the cause is hardly a row, and the other half is tried just once.
   */
  async function halved(batch: readonly (readonly NewEvent[])[]): Promise<readonly Outcome[]> {
    const middle = batch.length >> 1;
    const first = await commit(batch.slice(0, middle), true);
    const mayHalve = first.some((outcome) => "taken" in outcome) || middle === 1;
    return [...first, ...(await commit(batch.slice(middle), mayHalve))];
  }

  return {
    async take(events, isWanted = () => true) {
      const outcome = await commits.add({ events, isWanted });
      if ("error" in outcome) throw outcome.error;
      return outcome.taken;
    },
    flushed: () => commits.flushed(),
  };
}

const withdrawn: Outcome = { error: new Error("nobody waits for it any more") };

/** One event for each key, with its copies counted. */
function fold(events: readonly NewEvent[]): readonly NewEvent[] {
  const byKey = new Map<string, NewEvent>();
  for (const event of events) {
    const first = byKey.get(event.key);
    byKey.set(
      event.key,
      first === undefined ? event : { ...first, copies: first.copies + event.copies },
    );
  }
  return [...byKey.values()];
}

/** Gives each delivery its answers: the first copy of a key has the store's, the others are duplicates of it. */
function spread(
  batch: readonly (readonly NewEvent[])[],
  folded: readonly NewEvent[],
  answers: readonly Taken[],
): readonly Outcome[] {
  const byKey = new Map<string, Taken>();
  for (const [index, { key }] of folded.entries()) {
    const answer = answers[index];
    if (answer !== undefined) byKey.set(key, answer);
  }
  return batch.map((events) => ({
    taken: events.map(({ key }): Taken => {
      const answer = byKey.get(key) ?? { kind: "duplicate" };
      if (answer.kind === "taken") byKey.set(key, { kind: "duplicate" });
      return answer;
    }),
  }));
}

/** How many deliveries go into the next batch: up to the bounds, and before a key repeats with other content. */
function batchLength(waiting: readonly (readonly NewEvent[])[]): number {
  const hashes = new Map<string, string>();
  let rows = 0;
  let bytes = 0;
  for (const [index, events] of waiting.entries()) {
    rows += events.length;
    bytes += events[0]?.delivery.body.length ?? 0;
    if (rows > rowsMax || bytes > bytesMax) return index;
    for (const { key, delivery } of events) {
      const hash = hashes.get(key);
      if (hash !== undefined && hash !== delivery.contentHash) return index;
      hashes.set(key, delivery.contentHash);
    }
  }
  return waiting.length;
}

function claimsOf(answers: readonly Taken[]): readonly Claim[] {
  return answers.flatMap((answer) =>
    answer.kind === "taken" && answer.claim !== undefined ? [answer.claim] : [],
  );
}

/** Whether an event was taken without being claimed at once: somebody has to come back for it. */
function isWaiting(answer: Taken): boolean {
  return answer.kind === "taken" && answer.claim === undefined;
}
