/** Connections of the user's pool in the store's use: each statement has a deadline, and nothing waits for ever. */

import { createHash } from "node:crypto";
import { inTime, Lending, Owners, spoils } from "@webhook-inbox/core/records";
import type { PostgresClient, PostgresPool, Row, Run } from "./pool.ts";
import { isAnswered, isMisnamed, mayRepeat, unavailable } from "./unavailable.ts";

const triesMax = 8;
/** Of a pool that does not say how large it is. */
const poolMax = 10;

/** A run of statements together with who counts what they move. */
export interface Session {
  readonly run: Run;
  /** Owner of the tallies that are written: nobody else writes under it meanwhile. */
  readonly owner: string;
}

/** What was told already, by whatever store: a pool may see many of them come and go. */
const told = new WeakSet<object>();

function ignoreErrors(emitter: Pick<PostgresClient, "on">): void {
  if (told.has(emitter)) return;
  told.add(emitter);
  emitter.on?.("error", () => undefined);
}

/**
 * Connections that die while nobody uses them: what is asked next gets another one. One may die in the very packet that
 * says it is there, before whoever has asked for it hears of it.
 */
function ignoreErrorsOf(pool: PostgresPool): void {
  if (told.has(pool)) return;
  told.add(pool);
  pool.on?.("error", () => undefined);
  pool.on?.("connect", ignoreErrors);
}

export class Connection<Client extends PostgresClient> {
  readonly #pool: PostgresPool<Client>;
  readonly #timeoutMs: number;
  readonly #names = new Map<string, string>();
  /** False once a pooler was found between us and the server, to which names of statements mean nothing. */
  #isNaming = true;
  readonly #owners = new Owners();
  readonly #known = new WeakSet<Client>();
  /** Connections that may be lent to handlers. */
  readonly #lending: Lending;

  constructor(pool: PostgresPool<Client>, timeoutMs: number) {
    this.#pool = pool;
    ignoreErrorsOf(pool);
    this.#timeoutMs = timeoutMs;
    this.#lending = new Lending(this.max);
  }

  /** How many connections the pool may have. */
  get max(): number {
    return this.#pool.options?.max ?? poolMax;
  }

  /** Runs one statement, in a transaction of its own. */
  readonly run: Run = (text, values) =>
    this.#repeated(() => this.#with((client) => this.#query(client, text, values)));

  /** Runs statements that move events, each in a transaction of its own. */
  moving<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#owners.with((owner) => work({ run: this.run, owner }));
  }

  /** Runs `work` in one transaction, again if the server undid it because of another one. */
  transaction<T>(
    work: (session: Session) => Promise<T>,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<T> {
    return this.#owners.with((owner) =>
      this.#repeated(() =>
        this.#with((client) => {
          const begin: Run = (text) => this.#query(client, text);
          const run: Run = (text, values) => this.#query(client, text, values, timeoutMs);
          return within(begin, run, timeoutMs, () => work({ run, owner }));
        }),
      ),
    );
  }

  /** Runs `work` in one transaction, once, with the connection itself; `openMs` is how long it may stand open. */
  lent<T>(work: (client: Client, run: Run) => Promise<T>, openMs: number): Promise<T> {
    return this.#lending.with(() =>
      this.#with((client) => {
        const run: Run = (text, values) => this.#query(client, text, values);
        // The server has ended it by then; what never ends must not keep the connection.
        return inTime(
          within(run, run, openMs, () => work(client, run)),
          openMs,
          "the function of ctx.transaction has not ended",
        );
      }),
    );
  }

  /** Gives a connection that stays with the caller until it is released. */
  async take(): Promise<Client> {
    const connecting = this.#pool.connect();
    try {
      const client = await inTime(connecting, this.#timeoutMs, "no connection was to be had");
      if (!this.#known.has(client)) await this.#meet(client);
      return client;
    } catch (error) {
      // One that comes after all, or does not answer, is not kept.
      connecting.then(
        (client) => {
          ignoreErrors(client);
          client.release(true);
        },
        () => undefined,
      );
      throw unavailable(error);
    }
  }

  /**
   * When we wait no longer, we close the connection; the server looks for that while it works, as it does not of itself,
   * so that what nobody waits for does not pile up there. No harm to others who use the connection.
   */
  async #meet(client: Client): Promise<void> {
    this.#known.add(client);
    // One that dies in our hands says so here too: what was under way on it has failed by itself.
    ignoreErrors(client);
    await this.#query(client, "SET client_connection_check_interval = '2s'").catch(
      (error: unknown) => {
        // Before PostgreSQL 14 there is no such setting.
        if (!isAnswered(error)) throw error;
      },
    );
  }

  async #with<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.take();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // What is under way on it, and is waited for no longer, ends with it.
      client.release(!isAnswered(error));
      throw error;
    }
  }

  async #repeated<T>(act: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await act();
      } catch (error) {
        if ((!isMisnamed(error) && !mayRepeat(error)) || tries >= triesMax)
          throw unavailable(error);
        // Whoever was in the way gets ahead.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 ** tries));
      }
    }
  }

  async #query(
    client: Client,
    text: string,
    values: readonly unknown[] = [],
    timeoutMs = this.#timeoutMs,
  ): Promise<readonly Row[]> {
    const named = this.#isNaming && values.length > 0 ? { name: this.#nameOf(text) } : {};
    const asking = client.query({ text, values: [...values], ...named });
    try {
      const { rows } = await inTime(asking, timeoutMs, "it did not answer");
      return rows as readonly Row[];
    } catch (error) {
      if (isMisnamed(error)) this.#isNaming = false;
      throw error;
    }
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `webhook_inbox_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

/**
 * Runs `work` between BEGIN and COMMIT; rolls back what fails. The server itself gives up a statement, or a transaction
 * that is left standing, after `openMs`.
 */
async function within<T>(begin: Run, run: Run, openMs: number, work: () => Promise<T>): Promise<T> {
  const settings = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
  // Whatever the user of the pool has as a default: what is looked at again has to be seen as it is then.
  const beginning = "BEGIN ISOLATION LEVEL READ COMMITTED";
  await begin([beginning, ...settings.map((name) => `SET LOCAL ${name} = ${openMs}`)].join("; "));
  try {
    const result = await work();
    await run("COMMIT");
    return result;
  } catch (error) {
    // What made it fail is told, whatever becomes of the connection.
    if (isAnswered(error)) await run("ROLLBACK").catch(() => spoils(error));
    throw error;
  }
}
