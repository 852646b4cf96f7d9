/** The SQLite store, on Node's own `node:sqlite`: one file, durable at every commit, shared by processes of one machine. */

import { resolve } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { systemClock, type Clock } from "../../contracts/clock.ts";
import type {
  Claim,
  ClaimAnswer,
  ClaimAsk,
  ListAnswer,
  ListQuery,
  NewEvent,
  Store,
  TakeAsk,
  Taken,
} from "../../contracts/store.ts";
import { WebhookInboxError } from "../../errors.ts";
import type { Delivery } from "../../model/delivery.ts";
import type { EventRecord } from "../../model/event.ts";
import type { Settlement } from "../../model/settlement.ts";
import { limitOf } from "../records.ts";
import { claimDue } from "./claim.ts";
import { connect, identityOf, transaction, type Prepare } from "./connection.ts";
import { migrate, releaseAll } from "./migrate.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, keyBytes, type Row } from "./rows.ts";
import { takeAll } from "./take.ts";

/**
 * A store in the SQLite file `filename`, which is created when it is missing. The journal is always WAL and
 * `synchronous` always FULL: there is no faster, lossy setting.
 */
export function sqlite(filename: string): Store {
  if (typeof filename !== "string" || filename === "" || /^(?::memory:|file:)/.test(filename)) {
    throw new WebhookInboxError(
      "STORE_LOSSY",
      `sqlite(${JSON.stringify(filename)}) names no file that outlives the process. Give the path of a file on a local ` +
        'disk, such as sqlite("webhooks.sqlite"), or use memory() where losing events is fine.',
    );
  }
  // The working directory may change; the file does not.
  return new SqliteStore(resolve(filename));
}

class SqliteStore implements Store {
  readonly supports = { durability: "commit", shared: true } as const;
  readonly #filename: string;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | undefined;
  /** Which file the open database is; undefined until it was opened, and after it was closed. */
  #identity: string | undefined;
  #reopening: Promise<void> | undefined;
  #clock: Clock = systemClock;

  constructor(filename: string) {
    this.#filename = filename;
  }

  async open({ clock }: { readonly clock: Clock }): Promise<void> {
    if (this.#database !== undefined) return;
    this.#clock = clock;
    this.#database = await connect(this.#filename, (database, alone) => {
      migrate(database);
      if (alone) releaseAll(database, clock.now());
    });
    this.#identity = identityOf(this.#filename);
  }

  async close(): Promise<void> {
    this.#disconnect();
    this.#identity = undefined;
  }

  #disconnect(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }

  /**
   * Makes sure that the open file is still the one that has its name. What is committed to a file that was removed or
   * replaced is lost: it is let go, and the next call opens what is there now.
   */
  async #present(): Promise<void> {
    if (this.#identity === undefined || this.#identity === identityOf(this.#filename)) return;
    if (this.#database === undefined) {
      this.#reopening ??= this.open({ clock: this.#clock }).finally(
        () => (this.#reopening = undefined),
      );
      return await this.#reopening;
    }
    this.#disconnect();
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `SQLite file "${this.#filename}" was removed or replaced while it was open. What it held is not in the new file; ` +
        "stop the inbox before such a file is moved.",
    );
  }

  take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    return this.#write((prepare) => takeAll(prepare, events, ask, this.#clock.now()));
  }

  async claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    await this.#present();
    return await claimDue(
      this.#prepare,
      (work) => this.#write(work),
      ask,
      () => this.#clock.now(),
    );
  }

  extend(
    claims: readonly Pick<Claim, "event" | "fence">[],
    leaseMs: number,
  ): Promise<readonly boolean[]> {
    return this.#write((prepare) => {
      const leaseEndsAt = this.#clock.now() + leaseMs;
      const statement = prepare(
        "UPDATE webhook_inbox_events SET lease_ends_at = ? WHERE key = ? AND fence = ?",
      );
      return claims.map(
        ({ event, fence }) => statement.run(leaseEndsAt, keyBytes(event.key), fence).changes === 1,
      );
    });
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#write((prepare) => {
      const now = this.#clock.now();
      const statement = prepare(`
        UPDATE webhook_inbox_events
        SET state = ?, reason = ?, due_at = coalesce(?, due_at), attempts = attempts - ?, finished = ?, history = ?,
          fence = NULL, lease_ends_at = NULL
        WHERE key = ? AND fence = ? AND state = 'running'`);
      return settlements.map(({ key, fence, outcome, finished, history }) => {
        const isPending = outcome.state === "pending";
        const { changes } = statement.run(
          outcome.state,
          "reason" in outcome ? outcome.reason : null,
          isPending ? now + outcome.afterMs : null,
          isPending && outcome.handedBack ? 1 : 0,
          JSON.stringify(finished),
          JSON.stringify(history),
          keyBytes(key),
          fence,
        );
        return changes === 1;
      });
    });
  }

  async get(
    key: string,
  ): Promise<{ readonly event: EventRecord; readonly delivery: Delivery } | undefined> {
    await this.#present();
    const row = this.#prepare(`
      SELECT ${eventColumns}, ${deliveryColumns}
      FROM webhook_inbox_events e JOIN webhook_inbox_deliveries d ON d.seq = e.delivery
      WHERE e.key = ?`).get(keyBytes(key)) as Row | undefined;
    return row === undefined ? undefined : { event: eventOf(row), delivery: deliveryOf(row) };
  }

  async list(query: ListQuery): Promise<ListAnswer> {
    await this.#present();
    const limit = limitOf(query);
    const filters = (["source", "type", "state"] as const).filter(
      (name) => query[name] !== undefined,
    );
    const cursor = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(query.cursor);
    const where = ["e.seq < ?", ...filters.map((name) => `e.${name} = ?`)].join(" AND ");
    const rows = this.#prepare(`
      SELECT e.seq, ${eventColumns} FROM webhook_inbox_events e
      WHERE ${where} ORDER BY e.seq DESC LIMIT ?`).all(
      cursor,
      ...filters.map((name) => query[name] ?? ""),
      limit + 1,
    ) as Row[];
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      events: rows.slice(0, limit).map(eventOf),
      cursor: last === undefined ? undefined : String(last["seq"]),
    };
  }

  async #write<T>(work: (prepare: Prepare) => T): Promise<T> {
    await this.#present();
    const database = this.#opened();
    return await transaction(database, () => work(this.#prepare));
  }

  readonly #prepare: Prepare = (sql) => {
    const database = this.#opened();
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  };

  #opened(): DatabaseSync {
    if (this.#database !== undefined) return this.#database;
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `SQLite file "${this.#filename}" is not open.`,
    );
  }
}
