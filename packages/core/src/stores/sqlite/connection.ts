/**
 * One connection to a SQLite file with the settings that make a commit durable, and transactions that wait for a lock
 * without ever blocking the event loop.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { WebhookInboxError } from "../../errors.ts";
import { createFor, refuseOldNode } from "./file.ts";
import { warnOfSharing } from "./sharing.ts";
import { busy, locked, resultCode, unavailable } from "./unavailable.ts";

/** How long a transaction waits for another process's lock before it gives up. */
const lockWaitMs = 2000;
const pauseMsMax = 16;

/** Pages that are kept in memory, once they are used: the trees of new keys and of what is due. */
const cacheKiB = 16_384;
/** A journal that has grown beyond this, as behind a long read, gives its space back. */
const journalBytesMax = 67_108_864;

/** Gives a statement, prepared once. */
export type Prepare = (sql: string) => StatementSync;

/**
 * Opens the file (created for its owner's eyes only) in WAL mode with `synchronous=FULL`, and reads both back. `setUp`
 * runs in a transaction; `alone` says that nobody else is connected and nobody can connect before it ends.
 */
export async function connect(
  filename: string,
  setUp: (database: DatabaseSync, alone: boolean) => void,
): Promise<DatabaseSync> {
  const database = open(filename);
  try {
    // Before anything is written: afterwards a file cannot learn to give back space.
    await patiently(() => database.exec("PRAGMA auto_vacuum = INCREMENTAL"));
    // Secure deletion from the start: content that pages once held must not outlive what is erased.
    // Waiting is done between turns of the event loop, never inside SQLite.
    database.exec("PRAGMA busy_timeout = 0");
    await patiently(() =>
      database.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON"),
    );
    database.exec(
      `PRAGMA cache_size = -${cacheKiB}; PRAGMA journal_size_limit = ${journalBytesMax}`,
    );
    const alone = await patiently(() => setUpAlone(database, setUp));
    if (!alone) warnOfSharing(database);
    await enterWal(database);
    proveDurable(database, filename);
    if (!alone) {
      const work = (): void => setUp(database, false);
      await transaction(database, filename, { durability: "synced", work });
    }
    return database;
  } catch (error) {
    database.close();
    throw unavailable(error, filename);
  }
}

/**
 * Sets the file up if no other connection is open on it; answers whether that was so. A connection in WAL mode keeps a
 * lock for as long as it lives, so leaving WAL mode succeeds only for one that is alone; and nobody can connect while a
 * file outside WAL mode is locked exclusively. Throws SQLite's "busy" while another process does the same.
 */
function setUpAlone(
  database: DatabaseSync,
  setUp: (database: DatabaseSync, alone: boolean) => void,
): boolean {
  if (!leavesWal(database)) return false;
  return within(database, "BEGIN EXCLUSIVE", () => {
    const alone = journalMode(database) === "delete";
    if (alone) setUp(database, true);
    return alone;
  });
}

const walTriesMax = 10;

/** Enters WAL mode and takes the lock that stays. Another process may leave it again just before that lock is taken. */
async function enterWal(database: DatabaseSync): Promise<void> {
  for (let tries = 0; tries < walTriesMax; tries++) {
    await patiently(() => {
      database.exec("PRAGMA journal_mode = WAL");
      database.prepare("SELECT count(*) FROM sqlite_schema").get();
    });
    if (journalMode(database) === "wal") return;
  }
}

function open(filename: string): DatabaseSync {
  refuseOldNode();
  try {
    createFor(filename);
    return new DatabaseSync(filename);
  } catch (error) {
    throw unavailable(error, filename);
  }
}

/** Only a connection that is alone can leave WAL mode: SQLite itself answers whether another one is open. */
function leavesWal(database: DatabaseSync): boolean {
  try {
    return pragma(database, "journal_mode = DELETE") === "delete";
  } catch (error) {
    if (resultCode(error) === busy || resultCode(error) === locked) return false;
    throw error;
  }
}

function proveDurable(database: DatabaseSync, filename: string): void {
  const mode = journalMode(database);
  const synchronous = pragma(database, "synchronous");
  if (mode !== "wal" || synchronous !== 2) {
    throw new WebhookInboxError(
      "STORE_LOSSY",
      `SQLite file "${filename}" has journal_mode=${String(mode)} and synchronous=${String(synchronous)} where wal and 2 ` +
        "(FULL) are needed for a 200 to mean that it is on disk. Put the file on a local disk whose file system supports WAL.",
    );
  }
}

const journalMode = (database: DatabaseSync): unknown => pragma(database, "journal_mode");

function pragma(database: DatabaseSync, text: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${text}`).get() ?? {})[0];
}

/** Whether a commit outlives a loss of power at once, or only with the next one that does. */
export type Durability = "synced" | "unsynced";

export interface Write<T> {
  readonly durability: Durability;
  /** Must not wait. What it throws is never a reason to run it again. */
  readonly work: () => T;
  /** Called at once when what `work` has done is undone, before anything else can run. */
  readonly onUndone?: (() => void) | undefined;
}

/**
 * Runs a transaction that may write. While another process holds the lock it tries again in pauses of at most 16 ms, for
 * 2 s in all. The transaction begins and ends within one turn of the event loop, so that no other statement of this
 * connection can slip into it.
 */
export async function transaction<T>(
  database: DatabaseSync,
  filename: string,
  { durability, work, onUndone }: Write<T>,
): Promise<T> {
  let hasBegun = false;
  const begun = (): T => {
    hasBegun = true;
    return work();
  };
  const run = (): T => {
    try {
      return withSync(database, durability, () => within(database, "BEGIN IMMEDIATE", begun));
    } catch (error) {
      if (hasBegun) onUndone?.();
      throw error;
    }
  };
  try {
    return await patiently(run, () => !hasBegun);
  } catch (error) {
    throw unavailable(error, filename);
  }
}

function withSync<T>(database: DatabaseSync, durability: Durability, act: () => T): T {
  if (durability === "synced") return act();
  database.exec("PRAGMA synchronous = NORMAL");
  try {
    return act();
  } finally {
    database.exec("PRAGMA synchronous = FULL");
  }
}

function within<T>(database: DatabaseSync, begin: string, work: () => T): T {
  database.exec(begin);
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Repeats what SQLite refuses because of another's lock, with pauses between, until `lockWaitMs` have passed. */
async function patiently<T>(act: () => T, mayRepeat: () => boolean = () => true): Promise<T> {
  const deadline = performance.now() + lockWaitMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return act();
    } catch (error) {
      const isBusy = resultCode(error) === busy && mayRepeat();
      if (!isBusy || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)));
    }
  }
}
