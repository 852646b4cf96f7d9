/** Stores with a past: many events, put in by the database itself. */

import { DatabaseSync } from "node:sqlite";
import type { Store } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { directory, poolOn, schema, type Places } from "./subjects/subject.ts";

export interface Filled {
  readonly store: Store;
  /** Puts in events of the last 80 days whose payloads are forgotten, once the store is open. `state` is SQL, of the number `n`. */
  readonly fill: (count: number, state: string) => Promise<void>;
  /** Once the store is closed. */
  readonly end: () => Promise<void>;
}

export const dayMs = 86_400_000;

/** Over and done with, some of them dead. */
export const isOver = "CASE WHEN n % 50 = 0 THEN 'dead' ELSE 'done' END";
export const isWaiting = "'pending'";

const beganAt = (): number => Date.now() - 80 * dayMs;
const stepMs = (count: number): number => Math.floor((80 * dayMs) / count);
/** What waits is not due while anybody measures. */
const dueAt = (): number => Date.now() + dayMs;

export const filled: Readonly<Record<"sqlite" | "postgres", (places: Places) => Filled>> = {
  sqlite() {
    const { file, remove } = directory();
    return {
      store: sqlite(file),
      async fill(count, state) {
        const database = new DatabaseSync(file);
        database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000");
        database
          .prepare(
            `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
             INSERT INTO webhook_inbox_events (key, source, id, type, identified, state, delivery, content_hash, received_at,
               due_at, replayed, generation, attempts, crashes, duplicates, conflicts, finished, gave_up, history,
               interventions, notes)
             SELECT randomblob(16), 'audata', 'old-' || n, 'Listener.updated', 1, ${state}, n, hex(randomblob(32)), ?2 + n * ?3,
               ?4, 0, 0, 1, 0, 0, 0, '["audata/*"]', '[]', '[]', '[]', '[]' FROM numbers`,
          )
          .run(count, beganAt(), stepMs(count), dueAt());
        database.exec(
          `INSERT INTO webhook_inbox_keys SELECT key, seq FROM webhook_inbox_events ORDER BY key;
           INSERT INTO webhook_inbox_meta SELECT 'keyed_to', max(seq) FROM webhook_inbox_events;
           PRAGMA wal_checkpoint(TRUNCATE)`,
        );
        database.close();
      },
      end: remove,
    };
  },

  postgres(places) {
    const pool = poolOn(places);
    return {
      store: postgres(pool, { schema }),
      async fill(count, state) {
        await pool.query(
          `INSERT INTO ${schema}.events (key, seq, received_at, due_at, delivery, size, generation, attempts, crashes, duplicates,
             conflicts, identified, replayed, source, id, type, state, content_hash, finished, gave_up, history, interventions,
             notes)
           SELECT gen_random_uuid(), -n, $2::bigint + n * $3::bigint, $4, -n, 700, 0, 1, 0, 0, 0, true, false, 'audata',
             'old-' || n, 'Listener.updated', ${state}, md5(n::text) || md5((-n)::text), '["audata/*"]', '[]', '[]', '[]', '[]'
           FROM generate_series(1, $1::integer) AS n`,
          [count, beganAt(), stepMs(count), dueAt()],
        );
        await pool.query(`VACUUM ANALYZE ${schema}.events`);
        await pool.query("CHECKPOINT");
      },
      async end() {
        await pool.query(`DROP SCHEMA ${schema} CASCADE`);
        await pool.end();
      },
    };
  },
};
