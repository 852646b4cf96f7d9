/** Names of the tables in SQL, in the schema that the user chose. */

import { WebhookInboxError } from "@webhook-inbox/core";

export interface Tables {
  /** Name of the schema as it is, not quoted. */
  readonly schema: string;
  readonly events: string;
  readonly deliveries: string;
  readonly tallies: string;
  readonly meta: string;
  /** The quoted name of anything in the schema. */
  readonly named: (name: string) => string;
}

/** PostgreSQL cuts longer names short, without a word. */
const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

export function tablesOf(schema: string): Tables {
  if (!schemaPattern.test(schema)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `postgres(pool, { schema: ${JSON.stringify(schema)} }) must be lower-case letters, digits and underscores, at most ` +
        "63 of them, such as webhook_inbox.",
    );
  }
  const named = (name: string): string => `"${schema}"."${name}"`;
  return {
    schema,
    events: named("events"),
    deliveries: named("deliveries"),
    tallies: named("tallies"),
    meta: named("meta"),
    named,
  };
}

/** Text that is made once for each set of tables: the same statements are asked again and again. */
export function textOf(make: (tables: Tables) => string): (tables: Tables) => string {
  const made = new WeakMap<Tables, string>();
  return (tables) => {
    const text = made.get(tables) ?? make(tables);
    made.set(tables, text);
    return text;
  };
}

/** Now, by the server's clock, in milliseconds since 1970. */
export const nowMs = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
