/** The PostgreSQL store, on the user's own pool: shared by any number of instances, durable at every commit. */

import {
  WebhookInboxError,
  type AuditAnswer,
  type ClaimAnswer,
  type ClaimAsk,
  type Clock,
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
import { Connection, type Session } from "./connection.ts";
import { makeDays } from "./days.ts";
import { proveDurable } from "./durable.ts";
import { threadAccessOf } from "./heartbeat.ts";
import { interveneNow } from "./intervene.ts";
import { migrate } from "./migrate.ts";
import { pageOf } from "./page.ts";
import type { ClientOf, PostgresClient, PostgresPool, Row, Run } from "./pool.ts";
import { prune } from "./prune.ts";
import { deliveryColumns, eventColumns, keptOf, ofEvent, uuidOf } from "./rows.ts";
import { bringsWork, extendAll, settleAll } from "./settle.ts";
import { tablesOf, type Tables } from "./tables.ts";
import { takeAll } from "./take.ts";
import { audit, tally } from "./tallies.ts";
import { finishWith, wasFinished, type PostgresTransaction } from "./transaction.ts";
import { unavailable } from "./unavailable.ts";
import { Wakeups } from "./wakeups.ts";

/** Runs a statement with `$1` style parameters in a transaction of the user's data layer, and answers its rows. */
export type PostgresQuery = (
  text: string,
  values: readonly unknown[],
) => Promise<readonly object[]>;

/**
 * Begins a transaction of the user's data layer: `work` gets what handlers are to get as their client, and a way to run the
 * inbox's own statements in the same transaction. It must commit when `work` resolves, roll back when it rejects, and run
 * `work` once.
 */
export type PostgresBegin<Client> = <T>(
  work: (client: Client, query: PostgresQuery) => Promise<T>,
) => Promise<T>;

/** Where the store keeps its tables, who makes them, and how long it waits. */
export interface PostgresOptions<Client = unknown> {
  /** Schema of the tables, made when it is missing. Default: `webhook_inbox`. */
  readonly schema?: string;
  /**
   * `auto` brings the tables to this version at the start; `check` refuses to start instead, for who runs the text of
   * `schemaSql()` himself. Default: `auto`.
   */
  readonly migrate?: "auto" | "check";
  /** Begins the transactions of handlers with your data layer instead of the pool. */
  readonly begin?: PostgresBegin<Client>;
  /** How long to wait for an answer before the database counts as away, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 5000;
const migrateMs = 120_000;
const auditMs = 600_000;
/** Longer than handlers usually may: it ends what was forgotten, not what takes long. */
const transactionMs = 900_000;

/**
 * A store in the database of `pool`, which stays yours: it is not ended when the inbox is closed. Works behind PgBouncer
 * in transaction mode too; workers then look for the work of others once a second instead of being woken up.
 */
export function postgres<Pool extends PostgresPool, Client = ClientOf<Pool>>(
  pool: Pool,
  options: PostgresOptions<Client> = {},
): Store<PostgresTransaction<Client>> {
  const {
    schema = "webhook_inbox",
    migrate: mode = "auto",
    timeoutMs = timeoutMsDefault,
    begin,
  } = options;
  refuseUnknown("OPTION_INVALID", "postgres", options, known);
  if (typeof pool?.connect !== "function")
    throw invalid("the first argument must be a pool, as new pg.Pool() is");
  if (mode !== "auto" && mode !== "check") throw invalid('migrate must be "auto" or "check"');
  if (begin !== undefined && typeof begin !== "function") throw invalid("begin must be a function");
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) {
    throw invalid("timeoutMs must be a positive whole number");
  }
  const connection = new Connection<PostgresClient>(pool, timeoutMs);
  const lend = begin === undefined ? lendFrom<Client>(connection) : beginWith(begin);
  const threadAccess = threadAccessOf(pool, schema, timeoutMs);
  return new PostgresStore(connection, tablesOf(schema), mode, lend, threadAccess);
}

const known = ["schema", "migrate", "timeoutMs", "begin"];

/** Runs `work` in a transaction of its own, with what handlers get as their client. */
type Lend<Client> = <T>(work: (client: Client, run: Run) => Promise<T>) => Promise<T>;

/** Handlers get the pool's own connections. */
function lendFrom<Client>(connection: Connection<PostgresClient>): Lend<Client> {
  return (work) => connection.lent((client, run) => work(client as Client, run), transactionMs);
}

function beginWith<Client>(begin: PostgresBegin<Client>): Lend<Client> {
  return (work) =>
    begin((client, query) =>
      work(client, async (text, values = []) => (await query(text, values)) as readonly Row[]),
    );
}

function invalid(what: string): WebhookInboxError {
  return new WebhookInboxError(
    "OPTION_INVALID",
    `postgres(pool, { schema, migrate, timeoutMs, begin }): ${what}.`,
  );
}

class PostgresStore<Client> implements Store<PostgresTransaction<Client>> {
  readonly supports = {
    durability: "commit",
    shared: true,
    transactions: true,
    wakeups: true,
  } as const;
  readonly threadAccess?: ThreadAccess;
  readonly #tables: Tables;
  readonly #mode: "auto" | "check";
  readonly #connection: Connection<PostgresClient>;
  readonly #lend: Lend<Client>;
  readonly #wakeups: Wakeups;
  /** Where the look for waiting types goes on, by source. */
  readonly #walks = new Map<string, string>();

  constructor(
    connection: Connection<PostgresClient>,
    tables: Tables,
    mode: "auto" | "check",
    lend: Lend<Client>,
    threadAccess: ThreadAccess | undefined,
  ) {
    if (threadAccess !== undefined) this.threadAccess = threadAccess;
    this.#tables = tables;
    this.#mode = mode;
    this.#connection = connection;
    this.#lend = lend;
    this.#wakeups = new Wakeups(connection, tables.schema);
  }

  async open({ clock }: { readonly clock: Clock }): Promise<void> {
    const { run } = this.#connection;
    await proveDurable(run);
    const transaction = (work: (within: typeof run) => Promise<void>): Promise<void> =>
      this.#connection.transaction(({ run: within }) => work(within), migrateMs);
    await migrate(run, transaction, this.#tables, this.#mode);
    await makeDays(this.#connection, this.#tables, clock.now());
  }

  async close(): Promise<void> {
    await this.#wakeups.close();
  }

  readonly subscribe = (onWork: () => void): void => this.#wakeups.subscribe(onWork);

  async take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    const tables = this.#tables;
    const take = (session: Session): Promise<readonly Taken[]> =>
      takeAll({ ...session, tables, ask, known: new Map(), met: new Set() }, events);
    const hasLanes = events.some(({ lane }) => lane !== undefined);
    const answers = await (hasLanes
      ? this.#connection.transaction(take)
      : this.#connection.moving(take));
    const isLeft = answers.some((answer) => answer.kind === "taken" && answer.claim === undefined);
    if (isLeft) this.#wakeups.wake();
    return answers;
  }

  claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    return claimDue(this.#connection.run, this.#tables, ask, this.#walks);
  }

  extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]> {
    return extendAll(this.#connection.run, this.#tables, holds, leaseMs);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    if (!bringsWork(settlements)) {
      return await this.#connection.moving((session) =>
        settleAll(session, this.#tables, settlements),
      );
    }
    const answers = await this.#connection.transaction((session) =>
      settleAll(session, this.#tables, settlements),
    );
    this.#wakeups.wake();
    return answers;
  }

  async get(key: string): Promise<Kept | undefined> {
    const { events, deliveries } = this.#tables;
    const [row] = await this.#connection.run(
      `SELECT ${eventColumns}, ${deliveryColumns} FROM ${events} AS e LEFT JOIN ${deliveries} AS d ON ${ofEvent}
       WHERE e.key = $1`,
      [uuidOf(key)],
    );
    return row === undefined ? undefined : keptOf(row);
  }

  list(query: ListQuery): Promise<ListAnswer> {
    const { order = "newest", cursor } = query;
    const ask = { filter: query, order, cursor, limit: limitOf(query) };
    return pageOf(this.#connection.run, this.#tables, ask);
  }

  async intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer> {
    const answer = await this.#connection.transaction((session) =>
      interveneNow(session, this.#tables, selection, ask),
    );
    if (!ask.dryRun) this.#wakeups.wake();
    return answer;
  }

  prune(ask: PruneAsk): Promise<PruneAnswer> {
    return prune(this.#connection, this.#tables, ask);
  }

  tally(query: TallyQuery): Promise<readonly Tally[]> {
    return tally(this.#connection.run, this.#tables, query);
  }

  audit(): Promise<AuditAnswer> {
    return this.#connection.transaction(({ run }) => audit(run, this.#tables), auditMs);
  }

  transaction(hold: Hold, handler: string): PostgresTransaction<Client> {
    const tables = this.#tables;
    return <T>(work: (client: Client) => Promise<T>): Promise<T> =>
      committed<T>({
        run: (written) =>
          this.#lend(async (client, run) =>
            written(await finishWith(run, tables, hold, handler, () => work(client))),
          ),
        wasFinished: () => wasFinished(this.#connection.run, tables, hold, handler),
        unavailable,
      });
  }
}
