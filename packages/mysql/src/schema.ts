/** The tables of the MySQL store, as numbered steps that only go forward. */

import { lockCount } from "./lanes.ts";
import type { Tables } from "./tables.ts";

/** One step. Never change one that was released. */
export interface Step {
  /** MySQL commits each by itself: every one of them may be run again after one that was interrupted. */
  readonly sql: (tables: Tables) => readonly string[];
  /**
   * The number of steps that the oldest version knows that can still work once this step is done: versions run side by
   * side while a fleet is updated.
   */
  readonly worksFrom: number;
}

/** Whatever the default of the database is. Text is kept as bytes: what is equal there is equal to us. */
const table = (name: string, columns: string): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (${columns}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`;

/** One row for each event. Instants are milliseconds since 1970; lists are JSON. */
const eventsTable = ({ prefix, events }: Tables): string =>
  table(
    events,
    `seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'order of arrival',
    event_key BINARY(16) NOT NULL COMMENT '16 bytes of SHA-256 over source and id',
    taken_by BINARY(16) NOT NULL COMMENT 'the call that has inserted it',
    delivery BINARY(16) NOT NULL COMMENT 'id of the delivery, whose received_at is that of the event',
    received_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_ends_at BIGINT,
    occurred_at BIGINT,
    size INT NOT NULL COMMENT 'bytes of the body',
    generation INT NOT NULL,
    attempts INT NOT NULL,
    crashes INT NOT NULL,
    duplicates INT NOT NULL,
    conflicts INT NOT NULL COMMENT 'variants with the same id and other bytes',
    identified TINYINT NOT NULL COMMENT '0 until its delivery could be read',
    replayed TINYINT NOT NULL COMMENT 'claimed after those that were not',
    source VARBINARY(255) NOT NULL,
    id VARBINARY(1020) NOT NULL,
    type VARBINARY(1020) NOT NULL,
    state VARBINARY(16) NOT NULL,
    reason VARBINARY(64),
    content_hash VARBINARY(255) NOT NULL COMMENT 'of the delivery, which may be gone',
    variant_of BINARY(16) COMMENT 'key of the event whose id came with these other bytes',
    fence VARBINARY(255) COMMENT 'set while running: the claim that may settle it',
    finished LONGBLOB NOT NULL COMMENT 'names of handlers that succeeded',
    gave_up LONGBLOB NOT NULL COMMENT 'names of handlers that answered dead()',
    history LONGBLOB NOT NULL COMMENT 'the last attempts',
    interventions LONGBLOB NOT NULL COMMENT 'the last acts of people',
    notes LONGBLOB NOT NULL,
    lane VARBINARY(64) COMMENT 'whom it waits for; null for nobody',
    lane_max INT COMMENT 'how many of the lane at a time; 0: one, in order',
    lane_place BIGINT,
    lane_head TINYINT NOT NULL DEFAULT 0 COMMENT 'while it may be handled, or keeps the lane waiting',
    UNIQUE KEY ${prefix}_events_key (event_key),
    KEY ${prefix}_events_received (received_at),
    KEY ${prefix}_events_listed (source, state, received_at),
    KEY ${prefix}_events_due (source, state, crashes, replayed, due_at),
    KEY ${prefix}_events_due_by_type (source, state, type, crashes, replayed, due_at),
    KEY ${prefix}_events_lanes (lane, lane_head, state, due_at, lane_place),
    KEY ${prefix}_events_variants (variant_of)`,
  );

/** One row for each delivery that brought something new: the request as it came, without its credentials. */
const deliveriesTable = ({ prefix, deliveries }: Tables): string =>
  table(
    deliveries,
    `id BINARY(16) NOT NULL PRIMARY KEY COMMENT 'its time, and a random number',
    received_at BIGINT NOT NULL,
    method VARBINARY(32) NOT NULL,
    target LONGBLOB NOT NULL,
    account LONGBLOB,
    segment LONGBLOB,
    headers LONGBLOB NOT NULL COMMENT '[name, value, name, value, …]',
    verified_with LONGBLOB NOT NULL,
    sealed LONGBLOB COMMENT 'only of a refused one',
    trace LONGBLOB COMMENT 'traceparent of the span that received it',
    reconstructed TINYINT NOT NULL COMMENT '1 when a parser had consumed the exact bytes',
    body LONGBLOB NOT NULL,
    KEY ${prefix}_deliveries_received (received_at)`,
  );

/** How many events went which way between states: what is counted without counting rows. */
const talliesTable = ({ tallies }: Tables): string =>
  table(
    tallies,
    `at BIGINT NOT NULL COMMENT 'beginning of the minute, later of the hour; 0 for all before',
    owner BIGINT NOT NULL COMMENT 'who counts, so that nobody waits for the row of another; 0 once it is summed up',
    source VARBINARY(255) NOT NULL,
    type VARBINARY(1020) NOT NULL,
    from_state VARBINARY(16) NOT NULL COMMENT 'empty for new ones',
    to_state VARBINARY(16) NOT NULL COMMENT 'a state, or duplicate, conflict, pruned',
    count BIGINT NOT NULL,
    PRIMARY KEY (at, owner, source, type, from_state, to_state)`,
  );

export const steps: readonly Step[] = [
  {
    worksFrom: 1,
    sql: (tables) => [
      eventsTable(tables),
      deliveriesTable(tables),
      talliesTable(tables),
      // What is locked by whoever writes events of a lane.
      table(tables.lanes, "slot INT NOT NULL PRIMARY KEY"),
      `INSERT IGNORE INTO ${tables.lanes} (slot) VALUES ${Array.from({ length: lockCount }, (_, slot) => `(${slot})`).join(", ")}`,
    ],
  },
];

/** What stands before the first step. */
export const beginning = ({ meta }: Tables): string =>
  table(meta, "name VARBINARY(32) NOT NULL PRIMARY KEY, value BIGINT NOT NULL");
