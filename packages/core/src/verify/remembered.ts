/** A cache of what has to be fetched: fresh for a while, and good for much longer while fetching fails. */

import type { Later } from "./later.ts";

export interface Remembering<T> {
  /** Fetches the value of a key, until the signal says that nobody waits for it any more. */
  readonly load: (key: string, signal: AbortSignal) => Promise<T> | T;
  /** Age until which a value is given without a question. */
  readonly freshMs: number;
  /** Age until which it is still given, and fetched anew behind the answer. */
  readonly staleMs: number;
  /** Keys that are remembered; those without a value go first, then those that came first. */
  readonly entriesMax: number;
  /** Keys without a value that are fetched in a minute, where a stranger may name them. Default: any number. */
  readonly newPerMinuteMax?: number;
}

interface Entry<T> {
  value: { readonly is: T; readonly at: number } | undefined;
  failure: { readonly error: unknown; readonly at: number } | undefined;
  loading: Promise<T> | undefined;
}

const loadMs = 5000;
/** For so long a failure is the answer, so that many who ask do not make many questions. */
const failedMs = 1000;
/** A value that did not serve is fetched anew at most this often. */
const renewedMs = 5000;

export class Remembered<T> {
  readonly #terms: Remembering<T>;
  readonly #entries = new Map<string, Entry<T>>();
  #minute = 0;
  #newInMinute = 0;

  constructor(terms: Remembering<T>) {
    this.#terms = terms;
  }

  /** The value of a key. Rejects when it cannot be had; `report` hears of failures that a stale value hides. */
  get(key: string, now: number, report: (error: unknown) => void): Later<T> {
    const entry = this.#entryOf(key);
    const { value, failure } = entry;
    const age = value === undefined ? Infinity : now - value.at;
    if (value !== undefined && age < this.#terms.freshMs) return value.is;
    const hasFailed = failure !== undefined && Math.abs(now - failure.at) < failedMs;
    if (value === undefined || age >= this.#terms.staleMs) {
      return hasFailed ? Promise.reject(failure.error) : this.#load(key, entry, now);
    }
    if (!hasFailed) this.#load(key, entry, now).catch(report);
    return value.is;
  }

  /** Fetches again a value that did not serve; undefined when that was done just now. */
  renew(key: string, now: number): Promise<T> | undefined {
    const entry = this.#entryOf(key);
    const lastAt = Math.max(entry.value?.at ?? -Infinity, entry.failure?.at ?? -Infinity);
    return Math.abs(now - lastAt) < renewedMs ? undefined : this.#load(key, entry, now);
  }

  /** The last value of a key, however old. */
  last(key: string): T | undefined {
    return this.#entries.get(key)?.value?.is;
  }

  /** What is remembered. */
  known(): readonly (readonly [key: string, value: T])[] {
    return [...this.#entries].flatMap(([key, { value }]) =>
      value === undefined ? [] : [[key, value.is] as const],
    );
  }

  #entryOf(key: string): Entry<T> {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry<T> = { value: undefined, failure: undefined, loading: undefined };
    if (this.#entries.size >= this.#terms.entriesMax) {
      const all = [...this.#entries];
      const [oldest] = all.find(([, { value }]) => value === undefined) ?? all[0] ?? [];
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** Whether a key without a value may be fetched now. */
  #mayBeNew(now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) this.#newInMinute = 0;
    this.#minute = minute;
    this.#newInMinute += 1;
    return this.#newInMinute <= (this.#terms.newPerMinuteMax ?? Infinity);
  }

  #load(key: string, entry: Entry<T>, now: number): Promise<T> {
    if (entry.loading === undefined && entry.value === undefined && !this.#mayBeNew(now)) {
      return Promise.reject(new Error("too many keys were asked for in a minute"));
    }
    entry.loading ??= this.#fetched(key)
      .then(
        (is) => {
          entry.value = { is, at: now };
          entry.failure = undefined;
          return is;
        },
        (error: unknown) => {
          entry.failure = { error, at: now };
          throw error;
        },
      )
      .finally(() => {
        entry.loading = undefined;
      });
    return entry.loading;
  }

  /** Bounded in time, also where the signal is ignored. */
  async #fetched(key: string): Promise<T> {
    const signal = AbortSignal.timeout(loadMs);
    const tooLate = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
    const load = async (): Promise<T> => await this.#terms.load(key, signal);
    return await Promise.race([load(), tooLate]);
  }
}
