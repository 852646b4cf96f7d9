/** A cache of what has to be fetched: fresh for a while, and good for much longer while fetching fails. */

import type { Later } from "../later.ts";

interface Remembering<T> {
  /** Fetches the value of a key, until the signal says that nobody waits for it any more. */
  readonly load: (key: string, signal: AbortSignal) => Promise<T> | T;
  /** Age until which a value is given without a question. */
  readonly freshMs: number;
  /** Age until which it is given while it cannot be fetched anew. */
  readonly staleMs: number;
  /** Values that are remembered; the one that was fetched first goes first. */
  readonly entriesMax: number;
  /** Whether a value says that there is nothing: it is believed for seconds, and not when fetching fails. Default: none does. */
  readonly isNothing?: (value: T) => boolean;
  /** Keys without a value that are fetched in a minute, where a stranger may name them. Default: any number. */
  readonly newPerMinuteMax?: number;
}

interface Entry<T> {
  value: { readonly is: T; readonly at: number } | undefined;
  failure: { readonly error: unknown; readonly at: number } | undefined;
  loading: Promise<T> | undefined;
}

const loadMs = 5000;
/** How long what is known already is kept waiting for what may be newer. */
const patienceMs = 1000;
/** For so long a failure is the answer, so that many who ask do not make many questions. */
const failedMs = 1000;
const nothingMs = 5000;
/** A value that did not serve is fetched anew at most this often. */
const renewedMs = 5000;
/** Keys without a value that are remembered: what strangers name must not push out what is known. */
const othersMax = 1000;

export class Remembered<T> {
  readonly #terms: Remembering<T>;
  readonly #kept = new Map<string, Entry<T>>();
  readonly #others = new Map<string, Entry<T>>();
  #minute = 0;
  #newInMinute = 0;

  constructor(terms: Remembering<T>) {
    this.#terms = terms;
  }

  /** The value of a key. Rejects when it cannot be had; `report` hears of failures that an older value hides. */
  get(key: string, now: number, report: (error: unknown) => void): Later<T> {
    const entry = this.#entryOf(key);
    const { value, failure } = entry;
    const age = value === undefined ? Infinity : Math.abs(now - value.at);
    const isNothing = value !== undefined && this.#isNothing(value.is);
    if (value !== undefined && age < (isNothing ? nothingMs : this.#terms.freshMs)) return value.is;
    const isOfUse = value !== undefined && !isNothing && age < this.#terms.staleMs;
    if (failure !== undefined && Math.abs(now - failure.at) < failedMs) {
      return isOfUse ? value.is : Promise.reject(failure.error);
    }
    const loading = this.#load(key, entry, now);
    if (!isOfUse) return loading;
    const older = (error: unknown): T => {
      report(error);
      return value.is;
    };
    return within(patienceMs, loading).catch(older);
  }

  /** Fetches again a value that did not serve; undefined when that was done just now. */
  renew(key: string, now: number): Promise<T> | undefined {
    const entry = this.#entryOf(key);
    const lastAt = Math.max(entry.value?.at ?? -Infinity, entry.failure?.at ?? -Infinity);
    return Math.abs(now - lastAt) < renewedMs
      ? undefined
      : within(patienceMs, this.#load(key, entry, now));
  }

  /** The last value of a key, however old. */
  last(key: string): T | undefined {
    return this.#kept.get(key)?.value?.is;
  }

  /** What is remembered. */
  known(): readonly (readonly [key: string, value: T])[] {
    return [...this.#kept].flatMap(([key, { value }]) =>
      value === undefined ? [] : [[key, value.is] as const],
    );
  }

  #isNothing(value: T): boolean {
    return this.#terms.isNothing?.(value) === true;
  }

  #entryOf(key: string): Entry<T> {
    const known = this.#kept.get(key) ?? this.#others.get(key);
    if (known !== undefined) return known;
    const entry: Entry<T> = { value: undefined, failure: undefined, loading: undefined };
    add(this.#others, othersMax, key, entry);
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
    if (entry.loading !== undefined) return entry.loading;
    if (entry.value === undefined && !this.#mayBeNew(now)) {
      return Promise.reject(new Error("too many keys were asked for in a minute"));
    }
    entry.loading = this.#fetched(key)
      .then(
        (is) => {
          entry.value = { is, at: now };
          entry.failure = undefined;
          const isNothing = this.#isNothing(is);
          (isNothing ? this.#kept : this.#others).delete(key);
          if (isNothing) add(this.#others, othersMax, key, entry);
          else if (!this.#kept.has(key)) add(this.#kept, this.#terms.entriesMax, key, entry);
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
    const load = async (): Promise<T> => await this.#terms.load(key, signal);
    return await within(loadMs, load());
  }
}

function add<T>(entries: Map<string, T>, max: number, key: string, entry: T): void {
  const [oldest] = entries.size >= max ? entries.keys() : [];
  if (oldest !== undefined) entries.delete(oldest);
  entries.set(key, entry);
}

/** Rejects where something takes longer. */
export function within<T>(ms: number, loading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
    timer.unref();
    loading.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
