/** Who counts: tallies of work that goes on at the same time are written to different rows. */

import { randomInt } from "node:crypto";

/** Numbers under which tallies are written: one for each piece of work at a time, so that none waits for another. */
export class Owners {
  readonly #first: number = randomInt(2 ** 40) * 4096;
  readonly #free: number[] = [];
  #made = 0;

  async with<T>(work: (owner: string) => Promise<T>): Promise<T> {
    const owner = this.#free.pop() ?? this.#first + ++this.#made;
    try {
      return await work(String(owner));
    } finally {
      this.#free.push(owner);
    }
  }
}
