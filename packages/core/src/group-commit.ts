/**
 * Group commit: whoever arrives while a commit is under way shares the next one. There is no timer, so nobody waits when
 * nobody else is there; items that arrive on the same turn of the event loop go together.
 */

export interface GroupCommit<Item, Answer> {
  /** Resolves with the answer for this item once its batch is committed. */
  add(item: Item): Promise<Answer>;
  /** Resolves when nothing is waiting or under way. */
  flushed(): Promise<void>;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * `commit` gets a batch and answers per item, in order; `pick` may leave items for the next batch by choosing which of
 * the waiting ones go now (at least the first). One batch is under way at a time.
 */
export function groupCommit<Item, Answer>(
  commit: (batch: readonly Item[]) => Promise<readonly Answer[]>,
  pick: (waiting: readonly Item[]) => number,
): GroupCommit<Item, Answer> {
  const waiting: Waiting<Item, Answer>[] = [];
  let underWay: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      // Also between batches: what has come in meanwhile is looked at before the next commit.
      await nextTurn();
      const batch = waiting.splice(0, Math.max(1, pick(waiting.map(({ item }) => item))));
      await settle(batch);
    }
    underWay = undefined;
  }

  async function settle(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await commit(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        underWay ??= run();
      }),
    flushed: () => underWay ?? Promise.resolve(),
  };
}

/** Resolves on the next turn of the event loop, after the input and output that is ready now. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
