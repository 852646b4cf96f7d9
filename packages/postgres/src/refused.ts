/** The part of `prune` that keeps deliveries which were refused from becoming many. */

import type { PruneAsk } from "@webhook-inbox/core";
import type { Session } from "./connection.ts";
import type { Tables } from "./tables.ts";
import { tallyPruned } from "./tallies.ts";

/**
 * Of each source all refused ones but the newest. A delivery that was refused is that of one event, and may be gone for its age
 * already. Runs in a transaction.
 */
export async function pruneRefused(
  session: Session,
  tables: Tables,
  { refusedMax, limit }: PruneAsk,
  now: number,
  sources: readonly string[],
): Promise<{ readonly payloads: number; readonly keys: number }> {
  const { events, deliveries } = tables;
  const gone = await session.run(
    `WITH surplus AS (
       SELECT r.key FROM unnest($1::text[]) AS s (source) CROSS JOIN LATERAL (
         SELECT e.key FROM ${events} AS e WHERE e.source = s.source AND e.state = 'refused'
         ORDER BY e.received_at DESC NULLS LAST, e.seq DESC NULLS LAST LIMIT $2 OFFSET $3
       ) AS r LIMIT $2
     ),
     locked AS (
       SELECT e.key FROM ${events} AS e JOIN surplus USING (key) WHERE e.state = 'refused' FOR UPDATE OF e SKIP LOCKED
     ),
     removed AS (
       DELETE FROM ${events} AS e USING locked AS l WHERE e.key = l.key
       RETURNING e.source, e.type, e.state, e.received_at, e.delivery
     ),
     emptied AS (
       DELETE FROM ${deliveries} AS d USING removed AS r WHERE d.received_at = r.received_at AND d.id = r.delivery
       RETURNING d.id
     )
     SELECT source, type, state, (SELECT count(*) FROM emptied) AS payloads FROM removed`,
    [sources, limit, refusedMax],
  );
  await tallyPruned(session, tables, gone, now);
  return { payloads: Number(gone[0]?.["payloads"] ?? 0), keys: gone.length };
}
