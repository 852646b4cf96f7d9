/** The tables of the PostgreSQL store, as numbered steps that only go forward. */

import type { Tables } from "./tables.ts";

/** One step. Never change one that was released. */
export interface Step {
  readonly sql: (tables: Tables) => string;
  /**
   * The number of steps that the oldest version knows that can still work once this step is done: versions run side by
   * side while a fleet is updated.
   */
  readonly worksFrom: number;
}

const eventIndexes = (events: string): string => `
CREATE INDEX events_lanes ON ${events} (lane, lane_place, seq)
  WHERE lane IS NOT NULL AND state = 'pending' AND due_at = 8640000000000000; -- those that wait for others
CREATE INDEX events_heads ON ${events} (lane) WHERE lane IS NOT NULL AND lane_head;
CREATE INDEX events_received ON ${events} (received_at, seq);
-- An order of its own, so that who asks for it gets this index and no other.
CREATE INDEX events_listed ON ${events} (source, state, received_at NULLS FIRST, seq NULLS FIRST);
CREATE INDEX events_due ON ${events} (source, replayed, due_at, seq) WHERE state = 'pending' AND crashes = 0;
CREATE INDEX events_due_by_type ON ${events} (source, type, replayed, due_at, seq)
  WHERE state = 'pending' AND crashes = 0;
CREATE INDEX events_suspects ON ${events} (source, due_at) WHERE state = 'pending' AND crashes > 0;
CREATE INDEX events_leases ON ${events} (source, lease_ends_at) WHERE state = 'running';
CREATE INDEX events_variants ON ${events} (variant_of) WHERE variant_of IS NOT NULL;
`;

export const steps: readonly Step[] = [
  {
    worksFrom: 1,
    sql: ({ events, deliveries, tallies, named }) => `
-- One row for each event: narrow, so that keys outlive the bytes they were made from. Instants are milliseconds since 1970.
CREATE SEQUENCE ${named("event_seq")} AS bigint CACHE 64;
CREATE TABLE ${events} (
  key uuid PRIMARY KEY,              -- 16 bytes of SHA-256 over source and id
  seq bigint NOT NULL,               -- order of arrival
  received_at bigint NOT NULL,
  due_at bigint NOT NULL,
  lease_ends_at bigint,
  occurred_at bigint,
  delivery bigint NOT NULL,          -- id of the delivery, whose received_at is that of the event
  size integer NOT NULL,             -- bytes of the body
  generation integer NOT NULL,
  attempts integer NOT NULL,
  crashes integer NOT NULL,
  duplicates integer NOT NULL,
  conflicts integer NOT NULL,        -- variants with the same id and other bytes
  identified boolean NOT NULL,       -- false until its delivery could be read
  replayed boolean NOT NULL,         -- claimed after those that were not
  source text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  state text NOT NULL,
  reason text,
  content_hash text NOT NULL,        -- of the delivery, which may be gone
  variant_of uuid,                   -- key of the event whose id came with these other bytes
  fence text,                        -- set while running: the claim that may settle it
  finished text NOT NULL,            -- JSON: names of handlers that succeeded
  gave_up text NOT NULL,             -- JSON: names of handlers that answered dead()
  history text NOT NULL,             -- JSON: the last attempts
  interventions text NOT NULL,       -- JSON: the last acts of people
  notes text NOT NULL,               -- JSON
  lane text,                         -- whom it waits for; null for nobody
  lane_max integer,                  -- how many of the lane at a time; 0: one, in order
  lane_place bigint,
  lane_head boolean NOT NULL DEFAULT false -- while it may be handled, or keeps the lane waiting
);
CREATE SEQUENCE ${named("lane_seq")} AS bigint; -- not cached: who comes later has a later place
${eventIndexes(events)}
-- One row for each delivery that brought something new: the request as it came, without its credentials. A partition
-- holds the deliveries of one day, so that a day can be forgotten at once.
CREATE SEQUENCE ${named("delivery_seq")} AS bigint CACHE 64;
CREATE TABLE ${deliveries} (
  id bigint NOT NULL,
  received_at bigint NOT NULL,
  method text NOT NULL,
  target text NOT NULL,
  account text, segment text,
  headers text NOT NULL,             -- JSON: [name, value, name, value, …]
  verified_with text NOT NULL,
  sealed text,                       -- JSON; only of a refused one
  trace text,                        -- traceparent of the span that received it
  reconstructed boolean NOT NULL,    -- true when a parser had consumed the exact bytes
  body bytea NOT NULL,
  PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);
-- Bodies of a day that has none of its own: received long ago, or under a clock that is wrong; and what is kept longer.
CREATE TABLE ${named("deliveries_other")} PARTITION OF ${deliveries} DEFAULT;

-- How many events went which way between states: what is counted without counting rows.
CREATE TABLE ${tallies} (
  at bigint NOT NULL,                -- beginning of the minute, later of the hour; 0 for all before
  owner bigint NOT NULL,             -- who counts, so that nobody waits for another's row; 0 once it is summed up
  source text NOT NULL,
  type text NOT NULL,
  from_state text NOT NULL,          -- empty for new ones
  to_state text NOT NULL,            -- a state, or duplicate, conflict, pruned
  count bigint NOT NULL,
  PRIMARY KEY (at, owner, source, type, from_state, to_state)
);
`,
  },
];

/** What stands before the first step. */
export const beginning = ({ schema, meta }: Tables): string => `
DO $$ BEGIN
  -- Looked for first: who may use a schema need not have the right to make one.
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${schema}') THEN CREATE SCHEMA "${schema}"; END IF;
END $$;
CREATE TABLE IF NOT EXISTS ${meta} (name text PRIMARY KEY, value bigint NOT NULL);
`;
