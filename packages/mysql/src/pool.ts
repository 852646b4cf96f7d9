/** What is asked of a driver: connections, and statements on them. A pool of `mysql2/promise` has it. */

/** A statement, with what overrides the settings of the user's pool that would change its answer. */
export interface Statement {
  readonly sql: string;
  readonly values?: unknown[];
  readonly rowsAsArray: false;
  readonly namedPlaceholders: false;
  readonly nestTables: false;
  /** Values as the driver reads them. */
  readonly typeCast: (field: unknown, next: () => unknown) => unknown;
}

/** A connection in exclusive use. */
export interface MysqlConnection {
  query(statement: Statement): Promise<readonly [unknown, unknown]>;
  execute(statement: Statement): Promise<readonly [unknown, unknown]>;
  /** Gives it back. */
  release(): void;
  /** Closes it at once, whatever is under way on it. */
  destroy(): void;
}

/** Where connections come from. */
export interface MysqlPool<Client extends MysqlConnection = MysqlConnection> {
  getConnection(): Promise<Client>;
}

/** What `mysql2` keeps of how a pool was made. */
export interface PoolConfig {
  readonly connectionLimit?: number;
  readonly connectionConfig?: Readonly<Record<string, unknown>>;
}

/** Empty for a driver that keeps nothing of it. */
export const configOf = (pool: MysqlPool): PoolConfig =>
  (pool as { readonly pool?: { readonly config?: PoolConfig } }).pool?.config ?? {};

/** A row as it comes; columns are read in `rows.ts` alone. */
export type Row = Readonly<Record<string, string | number | bigint | null | Uint8Array>>;

/** Rows of a query; of a change none, and how many it has found. */
export interface Answer {
  readonly rows: readonly Row[];
  readonly found: number;
}

/** Runs a statement; without `values` as it stands, with them prepared. */
export type Run = (sql: string, values?: readonly unknown[]) => Promise<Answer>;
