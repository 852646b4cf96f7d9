/** The application's own table, in the database of the store: what handlers write there inside `ctx.transaction`. */

import { DatabaseSync } from "node:sqlite";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import { kindOf } from "./stores.ts";

/** `ctx.transaction`, of whatever store has one. */
export type Transaction = (work: (connection: unknown) => unknown) => Promise<unknown>;

export interface ExactEffects {
  /** Makes the table, if it is not there. */
  readonly prepare: () => Promise<void>;
  /** Inside `ctx.transaction`, with the connection that it gives; `after` may throw. On SQLite nothing is waited for. */
  readonly insert: (connection: unknown, id: string, after: () => void) => unknown;
  /** The id of each effect that was committed. */
  readonly all: () => Promise<readonly string[]>;
}

const table = "CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)";

/** Undefined for a store without transactions. */
export function exactEffectsAt(url: string): ExactEffects | undefined {
  switch (kindOf(url)) {
    case "postgres":
      return inPostgres(url);
    case "mysql":
      return inMysql(url);
    case "redis":
      return undefined;
    case "sqlite":
      return inFile(url);
  }
}

function inFile(path: string): ExactEffects {
  const using = <T>(use: (database: DatabaseSync) => T): Promise<T> => {
    const database = new DatabaseSync(path, { timeout: 5000 });
    try {
      return Promise.resolve(use(database));
    } finally {
      database.close();
    }
  };
  return {
    prepare: () => using((database) => database.exec(table)),
    insert: (connection, id, after) => {
      const { prepare } = connection as Pick<DatabaseSync, "prepare">;
      prepare("INSERT INTO effects (id) VALUES (?)").run(id);
      after();
    },
    all: () =>
      using((database) =>
        database
          .prepare("SELECT id FROM effects")
          .all()
          .map((row) => String(row["id"])),
      ),
  };
}

type Rows = readonly { readonly id: string }[];
type Queried = Readonly<Record<"query", (text: string, values: string[]) => Promise<unknown>>>;

const inPostgres = (connectionString: string): ExactEffects =>
  inServer("INSERT INTO effects (id) VALUES ($1)", async (text) => {
    const client = new Client({ connectionString });
    await client.connect();
    try {
      return (await client.query<Rows[number]>(text)).rows;
    } finally {
      await client.end();
    }
  });

const inMysql = (uri: string): ExactEffects =>
  inServer("INSERT INTO effects (id) VALUES (?)", async (text) => {
    const connection = await createConnection({ uri });
    try {
      const [rows] = await connection.query(text);
      return rows as unknown as Rows;
    } finally {
      await connection.end();
    }
  });

/** `asked` takes a connection of its own; what handlers write goes through theirs. */
function inServer(insert: string, asked: (text: string) => Promise<Rows>): ExactEffects {
  return {
    prepare: async () => void (await asked(table)),
    insert: async (connection, id, after) => {
      await (connection as Queried).query(insert, [id]);
      after();
    },
    all: async () => (await asked("SELECT id FROM effects")).map(({ id }) => id),
  };
}
