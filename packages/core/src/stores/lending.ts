/** Connections of a pool that handlers hold for the time of a transaction. */

import { WebhookInboxError } from "../errors.ts";

/** How many stay for the inbox itself. */
const ownCount = 2;

/** Lends as many connections at a time as may be held by handlers; whoever comes then waits for one to come back. */
export class Lending {
  readonly #max: number;
  #left: number;
  readonly #borrowers: (() => void)[] = [];

  /** `max`: how many connections the pool has. */
  constructor(max: number) {
    this.#max = max;
    this.#left = Math.max(1, max - ownCount);
  }

  /** Runs `work` once there is one to be had. Throws `TRANSACTION_INVALID` for a pool of one. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    if (this.#max < 2) {
      throw new WebhookInboxError(
        "TRANSACTION_INVALID",
        "ctx.transaction needs a pool of at least two connections: one for the handler, and one for the inbox.",
      );
    }
    if (this.#left > 0) this.#left -= 1;
    else await new Promise<void>((resolve) => this.#borrowers.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#borrowers.shift();
      if (next === undefined) this.#left += 1;
      else next();
    }
  }
}
