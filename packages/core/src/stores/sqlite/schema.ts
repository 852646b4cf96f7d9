/** The tables of the SQLite store, as numbered steps that only go forward. */

/** Each step is applied once, in order, in one transaction with the number of the last. Never change one that was released. */
export const steps: readonly string[] = [
  `
  -- One row for each delivery that brought something new: the request as it came, without its credentials. Removed when
  -- it is pruned or erased.
  CREATE TABLE webhook_inbox_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never given again: events outlive their deliveries
    received_at INTEGER NOT NULL,      -- milliseconds since 1970, like every instant here
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    account TEXT,
    segment TEXT,
    headers TEXT NOT NULL,             -- JSON: [name, value, name, value, …]
    verified_with TEXT NOT NULL,
    sealed TEXT,                       -- JSON; only of a refused one
    trace TEXT,                        -- traceparent of the span that received it
    reconstructed INTEGER NOT NULL,    -- 1 when a parser had consumed the exact bytes
    body BLOB NOT NULL
  ) STRICT;

  -- One row for each event: narrow, so that keys outlive the bytes they were made from.
  CREATE TABLE webhook_inbox_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- order of commit; never given again: others may remember it
    key BLOB NOT NULL,                 -- 16 bytes of SHA-256 over source and id
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    identified INTEGER NOT NULL,       -- 0 until its delivery could be read
    state TEXT NOT NULL,
    reason TEXT,
    delivery INTEGER NOT NULL,         -- webhook_inbox_deliveries.seq
    content_hash TEXT NOT NULL,        -- of the delivery, which may be gone
    variant_of INTEGER,                -- seq of the event whose id came with these other bytes
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    replayed INTEGER NOT NULL,         -- 1: claimed after those with 0
    generation INTEGER NOT NULL,
    fence TEXT,                        -- set while running: the claim that may settle it
    lease_ends_at INTEGER,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,        -- variants with the same id and other bytes
    finished TEXT NOT NULL,            -- JSON: names of handlers that succeeded
    gave_up TEXT NOT NULL,             -- JSON: names of handlers that answered dead()
    history TEXT NOT NULL,             -- JSON: the last attempts
    interventions TEXT NOT NULL,       -- JSON: the last acts of people
    notes TEXT NOT NULL,               -- JSON
    lane TEXT,                         -- whom it waits for; null for nobody
    lane_max INTEGER,                  -- how many of the lane at a time; 0: one, in order
    lane_place INTEGER,
    lane_head INTEGER NOT NULL DEFAULT 0 -- 1 while it may be handled, or keeps the lane waiting
  ) STRICT;

  CREATE INDEX webhook_inbox_due ON webhook_inbox_events (source, replayed, due_at)
    WHERE state = 'pending' AND crashes = 0;
  CREATE INDEX webhook_inbox_due_by_type ON webhook_inbox_events (source, type, replayed, due_at)
    WHERE state = 'pending' AND crashes = 0;
  CREATE INDEX webhook_inbox_suspects ON webhook_inbox_events (source, due_at)
    WHERE state = 'pending' AND crashes > 0;
  CREATE INDEX webhook_inbox_leases ON webhook_inbox_events (source, lease_ends_at) WHERE state = 'running';
  CREATE INDEX webhook_inbox_received ON webhook_inbox_events (received_at); -- and seq, as every index here
  CREATE INDEX webhook_inbox_listed ON webhook_inbox_events (source, state, received_at);
  CREATE INDEX webhook_inbox_lanes ON webhook_inbox_events (lane, lane_place)
    WHERE lane IS NOT NULL AND state = 'pending' AND due_at = 8640000000000000; -- those that wait for others
  CREATE INDEX webhook_inbox_heads ON webhook_inbox_events (lane) WHERE lane IS NOT NULL AND lane_head = 1;
  CREATE INDEX webhook_inbox_variants ON webhook_inbox_events (variant_of) WHERE variant_of IS NOT NULL;

  -- Which event has a key: of all up to the one that webhook_inbox_meta calls keyed_to, and of some up to moving_to.
  CREATE TABLE webhook_inbox_keys (key BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- How many events went which way between states: what is counted without counting rows.
  CREATE TABLE webhook_inbox_tallies (
    at INTEGER NOT NULL,               -- beginning of the minute, later of the hour; 0 for all before
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    from_state TEXT NOT NULL,          -- empty for new ones
    to_state TEXT NOT NULL,            -- a state, or duplicate, conflict, pruned
    count INTEGER NOT NULL,
    PRIMARY KEY (at, source, type, from_state, to_state)
  ) STRICT, WITHOUT ROWID;
  `,
];

export const createMeta = `
  CREATE TABLE IF NOT EXISTS webhook_inbox_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT
`;
