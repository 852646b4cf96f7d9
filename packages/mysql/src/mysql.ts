/** The MySQL and MariaDB store, on the user's own pool: shared by any number of instances, durable at every commit. */

import {
  WebhookInboxError,
  type AuditAnswer,
  type ClaimAnswer,
  type ClaimAsk,
  type Hold,
  type InterveneAnswer,
  type InterveneAsk,
  type Kept,
  type ListAnswer,
  type ListQuery,
  type NewEvent,
  type PruneAnswer,
  type PruneAsk,
  type Selection,
  type Settlement,
  type Store,
  type TakeAsk,
  type Taken,
  type Tally,
  type TallyQuery,
  type ThreadAccess,
} from "@webhook-inbox/core";
import { committed, limitOf, refuseUnknown } from "@webhook-inbox/core/records";
import { claimDue } from "./claim.ts";
import { Connection } from "./connection.ts";
import { proveDurable } from "./durable.ts";
import { threadAccessOf } from "./heartbeat.ts";
import { interveneNow } from "./intervene.ts";
import { migrate } from "./migrate.ts";
import { pageOf } from "./page.ts";
import type { MysqlConnection, MysqlPool } from "./pool.ts";
import { prune } from "./prune.ts";
import { deliveryColumns, eventColumns, keptOf, keyBytes, ofEvent } from "./rows.ts";
import { extendAll, settleAll } from "./settle.ts";
import { tablesOf, type Tables } from "./tables.ts";
import { takeAll } from "./take.ts";
import { audit, tally } from "./tallies.ts";
import { finishWith, wasFinished, type MysqlTransaction } from "./transaction.ts";
import { unavailable } from "./unavailable.ts";

/** How the store names and makes its tables, and how long it waits. */
export interface MysqlOptions {
  /** What the names of the tables begin with. Default: `webhook_inbox`. */
  readonly prefix?: string;
  /**
   * `auto` makes the tables and brings them to this version at the start; `check` refuses to start instead, for who runs the
   * text of `schemaSql()` himself. Default: `auto`.
   */
  readonly migrate?: "auto" | "check";
  /** How long to wait for an answer before the database counts as away, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number;
}

const known = ["prefix", "migrate", "timeoutMs"];
const timeoutMsDefault = 5000;
const migrateMs = 120_000;
const auditMs = 600_000;
/** Longer than handlers usually may: it ends what was forgotten, not what takes long. */
const transactionMs = 900_000;

/**
 * A store in the database of `pool`, made by `createPool` of `mysql2/promise`, which stays yours: it is not ended when the
 * inbox is closed. The tables are made when they are missing. Sessions that it uses keep an `innodb_lock_wait_timeout` of a second
 * less than `timeoutMs`: where the application waits longer for locks, give the inbox a pool of its own. Needs MySQL 8.0.14 or
 * MariaDB 10.6. Throws `OPTION_INVALID`.
 */
export function mysql<Client extends MysqlConnection>(
  pool: MysqlPool<Client>,
  options: MysqlOptions = {},
): Store<MysqlTransaction<Client>> {
  const {
    prefix = "webhook_inbox",
    migrate: mode = "auto",
    timeoutMs = timeoutMsDefault,
  } = options;
  refuseUnknown("OPTION_INVALID", "mysql", options, known);
  if (typeof pool?.getConnection !== "function") {
    throw invalid("the first argument must be a pool, as createPool() of mysql2/promise gives it");
  }
  if ("promise" in pool && typeof pool.promise === "function") {
    throw invalid(
      "the pool is one with callbacks: give pool.promise(), or make it by mysql2/promise",
    );
  }
  if (mode !== "auto" && mode !== "check") throw invalid('migrate must be "auto" or "check"');
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) {
    throw invalid("timeoutMs must be a positive whole number");
  }
  const tables = tablesOf(prefix);
  return new MysqlStore(
    new Connection(pool, timeoutMs),
    tables,
    mode,
    threadAccessOf(pool, prefix, timeoutMs),
  );
}

function invalid(what: string): WebhookInboxError {
  return new WebhookInboxError(
    "OPTION_INVALID",
    `mysql(pool, { prefix, migrate, timeoutMs }): ${what}.`,
  );
}

class MysqlStore<Client extends MysqlConnection> implements Store<MysqlTransaction<Client>> {
  readonly supports = {
    durability: "commit",
    shared: true,
    transactions: true,
    wakeups: false,
  } as const;
  readonly threadAccess?: ThreadAccess;
  readonly #connection: Connection<Client>;
  readonly #tables: Tables;
  readonly #mode: "auto" | "check";
  /** Where the look for waiting types goes on, by source. */
  readonly #walks = new Map<string, string>();

  constructor(
    connection: Connection<Client>,
    tables: Tables,
    mode: "auto" | "check",
    threadAccess: ThreadAccess | undefined,
  ) {
    if (threadAccess !== undefined) this.threadAccess = threadAccess;
    this.#connection = connection;
    this.#tables = tables;
    this.#mode = mode;
  }

  async open(): Promise<void> {
    this.#connection.statementBytesMax = await proveDurable(this.#connection.run);
    await this.#connection.session((run) => migrate(run, this.#tables, this.#mode), migrateMs);
  }

  async close(): Promise<void> {}

  take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    return this.#connection.moving(this.#tables, (on) =>
      takeAll({ ...on, ask, known: new Map() }, events),
    );
  }

  claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    return claimDue(this.#connection, this.#tables, ask, this.#walks);
  }

  extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]> {
    return this.#connection.transaction((run) => extendAll(run, this.#tables, holds, leaseMs));
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#connection.moving(this.#tables, (on) => settleAll(on, settlements));
  }

  async get(key: string): Promise<Kept | undefined> {
    const { events, deliveries } = this.#tables;
    const { rows } = await this.#connection.run(
      `SELECT ${eventColumns}, ${deliveryColumns} FROM ${events} AS e LEFT JOIN ${deliveries} AS d ON ${ofEvent}
       WHERE e.event_key = ?`,
      [keyBytes(key)],
    );
    const [row] = rows;
    return row === undefined ? undefined : keptOf(row);
  }

  list(query: ListQuery): Promise<ListAnswer> {
    const { order = "newest", cursor } = query;
    const ask = { filter: query, order, cursor, limit: limitOf(query) };
    return pageOf(this.#connection.run, this.#tables, ask);
  }

  intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer> {
    return this.#connection.moving(this.#tables, (on) => interveneNow(on, selection, ask));
  }

  prune(ask: PruneAsk): Promise<PruneAnswer> {
    return prune(this.#connection, this.#tables, ask);
  }

  tally(query: TallyQuery): Promise<readonly Tally[]> {
    return tally(this.#connection.run, this.#tables, query);
  }

  audit(): Promise<AuditAnswer> {
    return this.#connection.transaction((run) => audit(run, this.#tables), {
      timeoutMs: auditMs,
      isSnapshot: true,
    });
  }

  transaction(hold: Hold, handler: string): MysqlTransaction<Client> {
    const tables = this.#tables;
    return <T>(work: (client: Client) => Promise<T>): Promise<T> =>
      committed<T>({
        run: (written) =>
          this.#connection.lent(
            async (client, run) =>
              written(await finishWith(run, tables, hold, handler, () => work(client))),
            transactionMs,
          ),
        wasFinished: () => wasFinished(this.#connection.run, tables, hold, handler),
        unavailable,
      });
  }
}
