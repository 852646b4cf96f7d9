/** Progress of long work: a bar on a terminal, nothing in a pipe. */

import type { Output } from "./console.ts";

const barMax = 40;

export class Progress {
  readonly #to: Output;
  readonly #total: number;
  readonly #began = performance.now();
  #isShown = false;

  constructor(to: Output, total: number) {
    this.#to = to;
    this.#total = total;
  }

  show(count: number): void {
    if (this.#to.isTTY !== true) return;
    this.#isShown = true;
    const share = this.#total === 0 ? 1 : Math.min(1, count / this.#total);
    const filled = Math.round(share * barMax);
    const perSecond = Math.round((count * 1000) / Math.max(1, performance.now() - this.#began));
    const bar = "█".repeat(filled) + "░".repeat(barMax - filled);
    this.#to.write(`\r${bar} ${count} of ${this.#total}, ${perSecond} a second\u001B[K`);
  }

  /** Leaves the last state on its line. */
  end(): void {
    if (this.#isShown) this.#to.write("\n");
  }
}
