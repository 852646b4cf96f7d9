/** Settlements on their way to the store: in batches, repeated while it is away, and never failed by one another. */

import type { Clock } from "../contracts/clock.ts";
import type { Store } from "../contracts/store.ts";
import { isStoreAway } from "../errors.ts";
import { groupCommit, type GroupCommit } from "../group-commit.ts";
import type { Settlement } from "../model/settlement.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";

interface SettlementsNeeds {
  readonly store: Pick<Store, "settle">;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Whether the inbox has closed, or its drain has ended: a store that is away is then not waited for. */
  readonly isLast: () => boolean;
}

/** Made when it is written: a claim may have been renewed while its end was waiting, and its fence is the one it has now. */
type MakeSettlement = () => Settlement;

/** `fenced`: somebody else has the event now. `failed`: the store could not take it; its lease ends, and it is tried again. */
type SettlementEnd = "held" | "fenced" | "failed";

const batchMax = 512;
const retryMs = 1000;

export class Settlements {
  readonly #needs: SettlementsNeeds;
  readonly #commits: GroupCommit<MakeSettlement, SettlementEnd>;

  constructor(needs: SettlementsNeeds) {
    this.#needs = needs;
    this.#commits = groupCommit(
      (batch) => this.write(batch),
      () => batchMax,
    );
  }

  add(settlement: MakeSettlement): Promise<SettlementEnd> {
    return this.#commits.add(settlement);
  }

  flushed(): Promise<void> {
    return this.#commits.flushed();
  }

  /**
   * Repeats while the store is away and the inbox is open: a settlement is safe to write twice. One that the store cannot
   * take for another reason is given up, alone; its lease ends, and the event is tried again.
   */
  async write(batch: readonly MakeSettlement[]): Promise<readonly SettlementEnd[]> {
    const { store, clock, emit, isLast } = this.#needs;
    for (;;) {
      const isLastTry = isLast();
      try {
        const answers = await store.settle(batch.map((make) => make()));
        return answers.map((held) => (held ? "held" : "fenced"));
      } catch (error) {
        emit({ kind: "store_failed", of: "store", verb: "settle", error: summaryOf(error) });
        if (isLastTry) return batch.map(() => "failed");
        const isAway = isStoreAway(error);
        if (!isAway && batch.length === 1) return ["failed"];
        if (!isAway) return await this.#writeEach(batch);
        await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      }
    }
  }

  async #writeEach(batch: readonly MakeSettlement[]): Promise<readonly SettlementEnd[]> {
    const answers: SettlementEnd[] = [];
    for (const settlement of batch) answers.push(...(await this.write([settlement])));
    return answers;
  }
}
