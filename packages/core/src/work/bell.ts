/** A bell: whoever waits for the next change hears it. */

export class Bell {
  #waiting: (() => void)[] = [];

  /** Resolves when it is rung next. */
  heard(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ring(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
