/** The SQLite store, on Node's own `node:sqlite`: one file, durable at every commit, shared by processes of one machine. */

import { resolve } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { systemClock, type Clock } from "../../contracts/clock.ts";
import type {
  AuditAnswer,
  ClaimAnswer,
  ClaimAsk,
  Hold,
  InterveneAnswer,
  InterveneAsk,
  Kept,
  ListAnswer,
  ListQuery,
  PruneAnswer,
  PruneAsk,
  Selection,
  Store,
  TakeAsk,
  Taken,
  Tally,
  TallyQuery,
  ThreadAccess,
} from "../../contracts/store.ts";
import { WebhookInboxError } from "../../errors.ts";
import type { NewEvent } from "../../model/event.ts";
import type { Settlement } from "../../model/settlement.ts";
import { limitOf, Moves, Undone } from "../records.ts";
import { claimDue } from "./claim.ts";
import { connect, transaction, type Durability, type Prepare } from "./connection.ts";
import { DiskRoom } from "./disk-room.ts";
import { identityOf } from "./file.ts";
import { interveneNow } from "./intervene.ts";
import { Keys } from "./keys.ts";
import { advance } from "./lanes.ts";
import { migrate, releaseAll } from "./migrate.ts";
import { pageOf } from "./page.ts";
import { pruneNow } from "./prune.ts";
import { deliveryColumns, eventColumns, keptOf, type Row } from "./rows.ts";
import { extendAll, settleAll } from "./settle.ts";
import { takeAll } from "./take.ts";
import { auditOf, tallies, writeTallies } from "./tallies.ts";
import { finishWith, type SqliteClient, type SqliteTransaction } from "./transaction.ts";
import { unavailable } from "./unavailable.ts";
import type { Writing } from "./writing.ts";

export { backup } from "./backup.ts";
export type { SqliteClient, SqliteStatement, SqliteTransaction } from "./transaction.ts";

/**
 * A store in the SQLite file `filename`, which is created when it is missing. The journal is always WAL and
 * `synchronous` always FULL: there is no faster, lossy setting.
 */
export function sqlite(filename: string): Store<SqliteTransaction> {
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

/** Beside this file, which is TypeScript in the workspace and JavaScript in the package. */
const heartbeatModule = new URL(
  import.meta.url.endsWith(".ts") ? "./heartbeat.ts" : "./heartbeat.js",
  import.meta.url,
);

class SqliteStore implements Store<SqliteTransaction> {
  readonly supports = {
    durability: "commit",
    shared: true,
    transactions: true,
    wakeups: false,
  } as const;
  readonly threadAccess: ThreadAccess;
  readonly file: string;
  readonly #room: DiskRoom;
  readonly #statements = new Map<string, StatementSync>();
  /** Where the look for waiting types goes on, by source. */
  readonly #walks = new Map<string, string>();
  #keys: Keys;
  #database: DatabaseSync | undefined;
  /** Which file the open database is; undefined until it was opened, and after it was closed. */
  #identity: string | undefined;
  #reopening: Promise<void> | undefined;
  #clock: Clock = systemClock;

  constructor(filename: string) {
    this.file = filename;
    this.#keys = new Keys(this.#prepare);
    this.#room = new DiskRoom(filename);
    this.threadAccess = { module: heartbeatModule, options: { filename } };
  }

  async open({ clock }: { readonly clock: Clock }): Promise<void> {
    if (this.#database !== undefined) return;
    this.#clock = clock;
    this.#database = await connect(this.file, (database, alone) => {
      migrate(database);
      if (alone) releaseAll(database, clock.now());
    });
    this.#identity = identityOf(this.file);
  }

  readonly needRoom = (): Promise<void> => this.#room.needed();

  async close(): Promise<void> {
    this.#disconnect();
    this.#identity = undefined;
  }

  #disconnect(): void {
    this.#statements.clear();
    this.#keys = new Keys(this.#prepare);
    this.#database?.close();
    this.#database = undefined;
  }

  /**
   * Makes sure that the open file is still the one that has its name. What is committed to a file that was removed or
   * replaced is lost: it is let go, and the next call opens what is there now.
   */
  async #present(): Promise<void> {
    if (this.#identity === undefined) return;
    if (this.#database !== undefined && this.#identity === identityOf(this.file)) return;
    if (this.#database === undefined) {
      this.#reopening ??= this.open({ clock: this.#clock }).finally(
        () => (this.#reopening = undefined),
      );
      return await this.#reopening;
    }
    this.#disconnect();
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `SQLite file "${this.file}" was removed or replaced while it was open. What it held is not in the new file; ` +
        "stop the inbox before such a file is moved.",
    );
  }

  take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    return this.#move((on) => takeAll({ ...on, ask, deliveries: new Map() }, events));
  }

  claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    return this.#read((prepare) =>
      claimDue(
        prepare,
        (work) => this.#write(work, "unsynced"),
        ask,
        () => this.#clock.now(),
        this.#walks,
      ),
    );
  }

  extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]> {
    const extendNow = (prepare: Prepare) => extendAll(prepare, holds, this.#clock.now() + leaseMs);
    return this.#write(extendNow, "unsynced");
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#move((on) => settleAll(on, settlements), "unsynced");
  }

  get(key: string): Promise<Kept | undefined> {
    return this.#read((prepare) => {
      this.#keys.catchUp();
      const row = prepare(`
        SELECT ${eventColumns}, ${deliveryColumns}
        FROM webhook_inbox_events e LEFT JOIN webhook_inbox_deliveries d ON d.seq = e.delivery
        WHERE e.seq = ?`).get(this.#keys.find(key) ?? null) as Row | undefined;
      return row === undefined ? undefined : keptOf(row);
    });
  }

  list(query: ListQuery): Promise<ListAnswer> {
    const { order = "newest", cursor } = query;
    return this.#read((prepare) => pageOf(prepare, query, order, cursor, limitOf(query)));
  }

  async intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer> {
    const answer = await this.#move((on) => interveneNow(on, selection, ask));
    if (ask.act === "erase" && !ask.dryRun) this.#checkpoint("TRUNCATE");
    return answer;
  }

  async prune(ask: PruneAsk): Promise<PruneAnswer> {
    const answer = await this.#move((on) => pruneNow(on, ask));
    if (answer.cursor === undefined) this.#checkpoint("TRUNCATE");
    // Else the pages of many steps go into the file in one commit, which is somebody else's then.
    else if (answer.payloads + answer.keys > 0) this.#checkpoint("PASSIVE");
    return answer;
  }

  /**
   * The journal goes into the file. With TRUNCATE nothing stays in it of what was erased or forgotten, but where others who
   * read or write now keep it: then until the next erasure, or round of retention.
   */
  #checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    try {
      this.#opened().exec(`PRAGMA wal_checkpoint(${mode})`);
    } catch {
      // What was asked for is done.
    }
  }

  tally(query: TallyQuery): Promise<readonly Tally[]> {
    return this.#read((prepare) => tallies(prepare, query));
  }

  audit(): Promise<AuditAnswer> {
    return this.#read(() => {
      this.#opened();
      return auditOf(this.file);
    });
  }

  transaction(hold: Hold, handler: string): SqliteTransaction {
    // The type of what was returned is not looked at here: `finishWith` refuses a promise.
    const run = async <T>(work: (database: SqliteClient) => T): Promise<T> => {
      try {
        return await this.#write(() => {
          this.#keys.catchUp();
          return finishWith(this.#opened(), this.#keys.find(hold.key), hold, handler, work);
        });
      } catch (error) {
        throw error instanceof Undone ? error.error : error;
      }
    };
    return run as SqliteTransaction;
  }

  /** A write that moves events between states: tallied in the same transaction. */
  #move<T>(work: (on: Writing) => T, durability?: Durability): Promise<T> {
    const move = (prepare: Prepare): T => {
      const [now, moves, keys] = [this.#clock.now(), new Moves(), this.#keys];
      keys.catchUp();
      const result = work({ prepare, keys, now, moves });
      for (const lane of moves.lanes) advance(prepare, lane, now);
      writeTallies(prepare, moves, now);
      keys.step();
      return result;
    };
    return this.#write(move, durability, () => this.#keys.undo());
  }

  async #read<T>(look: (prepare: Prepare) => T | Promise<T>): Promise<T> {
    try {
      await this.#present();
      return await look(this.#prepare);
    } catch (error) {
      throw unavailable(error, this.file);
    }
  }

  /** What a loss of power may undo without harm is not synced: it costs nobody a wait for the disk. */
  async #write<T>(
    work: (prepare: Prepare) => T,
    durability: Durability = "synced",
    onUndone?: () => void,
  ): Promise<T> {
    await this.#read(() => undefined);
    const write = { durability, work: () => work(this.#prepare), onUndone };
    return await transaction(this.#opened(), this.file, write);
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
    throw new WebhookInboxError("STORE_UNAVAILABLE", `SQLite file "${this.file}" is not open.`);
  }
}
