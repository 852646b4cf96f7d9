/** The tables of the SQLite store, as numbered steps that only go forward. */

/** Each step is applied once, in order, in one transaction with the number of the last. Never change one that was released. */
export const steps: readonly string[] = [
  `
  -- One row for each delivery that brought something new: the request as it came, without its credentials.
  CREATE TABLE webhook_inbox_deliveries (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,      -- milliseconds since 1970, like every instant here
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    segment TEXT,
    headers TEXT NOT NULL,             -- JSON: [name, value, name, value, …]
    verified_with TEXT NOT NULL,
    reconstructed INTEGER NOT NULL,    -- 1 when a parser had consumed the exact bytes
    content_hash TEXT NOT NULL,
    body BLOB NOT NULL
  ) STRICT;

  -- One row for each event: narrow, so that keys outlive the bytes they were made from.
  CREATE TABLE webhook_inbox_events (
    seq INTEGER PRIMARY KEY,           -- order of commit
    key BLOB NOT NULL UNIQUE,          -- 16 bytes of SHA-256 over source and id
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    delivery INTEGER NOT NULL,         -- webhook_inbox_deliveries.seq
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    fence TEXT,                        -- set while running: the claim that may settle it
    lease_ends_at INTEGER,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,        -- variants with the same id and other bytes
    finished TEXT NOT NULL,            -- JSON: names of handlers that need not run again
    history TEXT NOT NULL,             -- JSON: the last attempts
    notes TEXT NOT NULL                -- JSON
  ) STRICT;

  CREATE INDEX webhook_inbox_due ON webhook_inbox_events (source, due_at)
    WHERE state = 'pending' AND crashes = 0;
  CREATE INDEX webhook_inbox_suspects ON webhook_inbox_events (source, due_at)
    WHERE state = 'pending' AND crashes > 0;
  CREATE INDEX webhook_inbox_leases ON webhook_inbox_events (source, lease_ends_at) WHERE state = 'running';
  `,
];

export const createMeta = `
  CREATE TABLE IF NOT EXISTS webhook_inbox_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT
`;
