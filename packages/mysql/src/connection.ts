/** Connections of the user's pool in the store's use: each statement has a deadline, and nothing waits for ever. */

import { inTime, Lending, Moves, Owners } from "@webhook-inbox/core/records";
import { advance, lockLanes } from "./lanes.ts";
import {
  configOf,
  type Answer,
  type MysqlConnection,
  type MysqlPool,
  type Row,
  type Run,
  type Statement,
} from "./pool.ts";
import { nowOf, type Tables } from "./tables.ts";
import { writeTallies } from "./tallies.ts";
import { isAnswered, mayRepeat, TooLarge, unavailable } from "./unavailable.ts";
import type { Writing } from "./writing.ts";
import { within, type TransactionTerms } from "./within.ts";

const triesMax = 8;

export class Connection<Client extends MysqlConnection> {
  readonly #pool: MysqlPool<Client>;
  readonly #timeoutMs: number;
  readonly #owners = new Owners();
  readonly #known = new WeakSet<object>();
  /** Connections that may be lent to handlers. */
  readonly #lending: Lending;
  /** How large a statement may be: the server ends a connection that sends a larger one. */
  statementBytesMax: number = Infinity;

  constructor(pool: MysqlPool<Client>, timeoutMs: number) {
    this.#pool = pool;
    this.#timeoutMs = timeoutMs;
    this.#lending = new Lending(configOf(pool).connectionLimit ?? poolMax);
  }

  /** Runs one statement, by itself. */
  readonly run: Run = (sql, values) =>
    this.#repeated(() => this.#with((client) => this.#query(client, sql, values)));

  /** Runs `work` in one transaction, again if the server undid it because of another one. */
  transaction<T>(
    work: (run: Run) => Promise<T>,
    { timeoutMs = this.#timeoutMs, ...terms }: TransactionTerms = {},
  ): Promise<T> {
    return this.#repeated(() =>
      this.#with((client) => {
        const run: Run = (sql, values) => this.#query(client, sql, values, timeoutMs);
        return within(run, () => work(run), terms);
      }),
    );
  }

  /** Runs statements on one connection, each by itself. */
  session<T>(work: (run: Run) => Promise<T>, timeoutMs: number): Promise<T> {
    return this.#repeated(() =>
      this.#with((client) => work((sql, values) => this.#query(client, sql, values, timeoutMs))),
    );
  }

  /** A transaction that moves events: what has moved is tallied, and lanes go on, at its end. */
  moving<T>(tables: Tables, work: (on: Writing) => Promise<T>): Promise<T> {
    return this.#owners.with((owner) =>
      this.transaction(async (run) => {
        const on = { run, tables, now: await nowOf(run), moves: new Moves() };
        const result = await work(on);
        await writeTallies(on, owner);
        await lockLanes(on);
        await advance(on);
        return result;
      }),
    );
  }

  /** Runs `work` in one transaction, once, with the connection itself. */
  lent<T>(work: (client: Client, run: Run) => Promise<T>, openMs: number): Promise<T> {
    return this.#lending.with(() =>
      this.#with((client) => {
        const run: Run = (sql, values) => this.#query(client, sql, values);
        // What never ends must not keep the connection.
        return inTime(
          within(run, () => work(client, run)),
          openMs,
          "the function of ctx.transaction has not ended",
        );
      }),
    );
  }

  async #with<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#take();
    try {
      await this.#meet(client);
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // What is under way on it, and is waited for no longer, ends with it.
      if (isAnswered(error)) client.release();
      else client.destroy();
      throw error;
    }
  }

  /**
   * What we wait for no longer goes on in the server, with all that it has locked, until it has its lock: so it waits less
   * long than we do.
   */
  async #meet(client: Client): Promise<void> {
    if (this.#known.has(identityOf(client))) return;
    const seconds = Math.max(1, Math.floor(this.#timeoutMs / 1000) - 1);
    await this.#query(client, `SET SESSION innodb_lock_wait_timeout = ${seconds}`);
    this.#known.add(identityOf(client));
  }

  async #take(): Promise<Client> {
    const connecting = this.#pool.getConnection();
    try {
      return await inTime(connecting, this.#timeoutMs, "no connection was to be had");
    } catch (error) {
      // One that comes after all goes back.
      connecting.then(
        (client) => client.release(),
        () => undefined,
      );
      throw error;
    }
  }

  async #repeated<T>(act: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await act();
      } catch (error) {
        if (!mayRepeat(error) || tries >= triesMax) throw unavailable(error);
        // Whoever was in the way gets ahead.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 ** tries));
      }
    }
  }

  async #query(
    client: Client,
    sql: string,
    values?: readonly unknown[],
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Answer> {
    const statement: Statement = {
      sql,
      ...(values === undefined ? {} : { values: values.map(sent) }),
      ...asWeRead,
    };
    const bytes = (values ?? []).reduce<number>((sum, value) => sum + sizeOf(value), sql.length);
    if (bytes > this.statementBytesMax) throw new TooLarge(bytes, this.statementBytesMax);
    const asking = values === undefined ? client.query(statement) : client.execute(statement);
    const [result] = await inTime(asking, timeoutMs, "it did not answer");
    if (Array.isArray(result)) return { rows: result as readonly Row[], found: result.length };
    return { rows: [], found: (result as { readonly affectedRows?: number }).affectedRows ?? 0 };
  }
}

/** The same connection comes in another wrapper each time. */
const identityOf = (client: MysqlConnection): object =>
  (client as { readonly connection?: object }).connection ?? client;

/** Of a pool that does not say how large it is. */
const poolMax = 10;

const sizeOf = (value: unknown): number =>
  typeof value === "string" || value instanceof Uint8Array ? value.length : 16;

/** Drivers know bytes as buffers. */
const sent = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;

/** Whatever the user of the pool has as a default. */
const asWeRead = {
  rowsAsArray: false,
  namedPlaceholders: false,
  nestTables: false,
  typeCast: (_, next) => next(),
} as const satisfies Partial<Statement>;
