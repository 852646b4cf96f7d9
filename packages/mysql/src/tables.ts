/** Names of the tables, and what statements are made of. */

import { WebhookInboxError } from "@webhook-inbox/core";
import type { Run } from "./pool.ts";
import { numberOf } from "./values.ts";

export interface Tables {
  /** What the names of all tables begin with. */
  readonly prefix: string;
  readonly events: string;
  readonly deliveries: string;
  readonly tallies: string;
  readonly lanes: string;
  readonly meta: string;
}

/** Names of tables have 64 characters at most, and their case counts on some machines and not on others. */
const prefixPattern = /^[a-z_][a-z0-9_]{0,39}$/;

export function tablesOf(prefix: string): Tables {
  if (!prefixPattern.test(prefix)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `mysql(pool, { prefix: ${JSON.stringify(prefix)} }) must be lower-case letters, digits and underscores, at most 40 of ` +
        "them, such as webhook_inbox.",
    );
  }
  return {
    prefix,
    events: `${prefix}_events`,
    deliveries: `${prefix}_deliveries`,
    tallies: `${prefix}_tallies`,
    lanes: `${prefix}_lanes`,
    meta: `${prefix}_meta`,
  };
}

/** Now, by the server's clock, in milliseconds since 1970, whatever the time zone of the session. */
export const nowMs =
  "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)";

export const nowOf = async (run: Run): Promise<number> => {
  const { rows } = await run(`SELECT ${nowMs} AS now`);
  return numberOf(rows[0]?.["now"]);
};

/** A text, or bytes, as a literal: it needs no quoting, whatever the session's settings are. */
export const literal = (value: string | Uint8Array): string => `X'${hexOf(value)}'`;

function hexOf(value: string | Uint8Array): string {
  return typeof value === "string"
    ? Buffer.from(value, "utf8").toString("hex")
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
}

/** Bytes that are short, a text of any length, a whole number. */
type Kind = "key" | "text" | "number";
type Value = string | Uint8Array | number | null | undefined;

const types: Readonly<Record<Kind, string>> = {
  key: "VARCHAR(128)",
  text: "LONGTEXT",
  number: "BIGINT",
};

/**
 * Many rows as one parameter: a table `g` of the statement. Texts go as digits, so that no character set of a session or a
 * pool can change them.
 */
export class Given<Name extends string> {
  /** For `FROM`; takes one parameter, which `of` makes. */
  readonly table: string;
  readonly names: readonly Name[];
  readonly #kinds: Readonly<Record<Name, Kind>>;

  constructor(kinds: Readonly<Record<Name, Kind>>) {
    this.#kinds = kinds;
    this.names = Object.keys(kinds) as Name[];
    const columns = Object.entries<Kind>(kinds).map(
      ([name, kind]) => `${name} ${types[kind]} PATH '$.${name}'`,
    );
    this.table = `JSON_TABLE(?, '$[*]' COLUMNS (${columns.join(", ")})) AS g`;
  }

  /** A column of it. */
  sql(name: Name): string {
    return this.#kinds[name] === "number" ? `g.${name}` : `UNHEX(g.${name})`;
  }

  /** Several of them, in order. */
  list(...names: readonly Name[]): string {
    return names.map((name) => this.sql(name)).join(", ");
  }

  of(rows: readonly Readonly<Record<Name, Value>>[]): string {
    return JSON.stringify(
      rows.map((row) =>
        Object.fromEntries(
          Object.entries<Value>(row)
            // What is missing is null there.
            .filter(([, value]) => value !== null && value !== undefined)
            .map(([name, value]) => [
              name,
              typeof value === "number" ? value : hexOf(value as string | Uint8Array),
            ]),
        ),
      ),
    );
  }
}

/** Keys of events. */
export const givenKeys: Given<"event_key"> = new Given({ event_key: "key" });
/** Numbers of events. */
export const givenSeqs: Given<"seq"> = new Given({ seq: "number" });

export const seqsOf = (seqs: readonly number[]): string =>
  givenSeqs.of(seqs.map((seq) => ({ seq })));
