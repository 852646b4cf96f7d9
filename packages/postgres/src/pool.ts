/** What is asked of a driver: connections, and statements on them. `pg`'s `Pool` has it; others take a few lines. */

/** A statement with `$1` style parameters. `name`, where it is given, may be prepared under that name once per connection. */
export interface Statement {
  readonly text: string;
  readonly values: unknown[];
  readonly name?: string;
}

/** A connection in exclusive use. */
export interface PostgresClient {
  query(statement: Statement): Promise<{ readonly rows: unknown[] }>;
  /** Gives it back; with `true` it is closed instead, at once, whatever is under way on it. */
  release(destroy?: boolean): void;
  /** Without it, workers are not woken up by other instances, and look once a second. */
  on?(event: "notification", listener: (heard: Notification) => void): unknown;
  on?(event: "error" | "end", listener: (error?: Error) => void): unknown;
  removeListener?(event: string, listener: (heard: Notification) => void): unknown;
}

/** What another session has said by NOTIFY. */
export interface Notification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** Where connections come from: the one method of a driver that the store needs. */
export interface PostgresPool<Client extends PostgresClient = PostgresClient> {
  connect(): Promise<Client>;
  on?(event: "error", listener: (error: Error) => void): unknown;
  on?(event: "connect", listener: (client: Client) => void): unknown;
  /** How many connections there may be at once. Default: 10, as `pg` has it. */
  readonly options?: { readonly max?: number | undefined };
}

/** The connections of a pool, also of one whose `connect` takes a callback as well. */
export type ClientOf<Pool> = Pool extends {
  connect(): Promise<infer Client extends PostgresClient>;
  connect(callback: never): void;
}
  ? Client
  : Pool extends { connect(): Promise<infer Client extends PostgresClient> }
    ? Client
    : never;

/** A row as it comes; columns are read in `rows.ts` alone. */
export type Row = Readonly<Record<string, string | number | bigint | boolean | null | Uint8Array>>;

/** Runs a statement, and answers its rows. */
export type Run = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
