/** What is wrong on purpose in a receiver: controls, without which a run that finds nothing lost would prove nothing, and a death. */

import { DatabaseSync, StatementSync } from "node:sqlite";
import type { Store } from "@webhook-inbox/core";
import { Redis } from "ioredis";
import * as mysql2 from "mysql2/promise";
import { Client } from "pg";
import { wrapped } from "../support/wrapped.ts";

/** A store that says "taken" first and commits 10 ms later, as a write-behind buffer does. */
export function acknowledgeFirst<T>(inner: Store<T>): Store<T> {
  return wrapped(inner, {
    take(events, ask) {
      setTimeout(() => void inner.take(events, { ...ask, slots: {} }), 10);
      return Promise.resolve(events.map(() => ({ kind: "taken" })));
    },
  });
}

/** A store whose process ends right after its nth commit of deliveries, before any of them is answered. */
export function diesAfterTakes<T>(inner: Store<T>, n: number): Store<T> {
  let takes = 0;
  return wrapped(inner, {
    async take(events, ask) {
      const taken = await inner.take(events, ask);
      takes += 1;
      if (takes === n) process.kill(process.pid, "SIGKILL");
      return taken;
    },
  });
}

/** SQLite files of this process are committed without an fsync from now on, and say that they are synced. */
export function leaveUnsynced(): void {
  const { exec, prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    exec.call(this, sql.replaceAll("synchronous = FULL", "synchronous = NORMAL"));
  };
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string, ...rest: []) {
    return prepare.call(this, sql === "PRAGMA synchronous" ? "SELECT 2" : sql, ...rest);
  };
}

type Call = (this: object, ...given: unknown[]) => unknown;

/**
 * Ends this process right before or right after its nth call of a store's driver: statements of SQLite, PostgreSQL and
 * MySQL, and commands of Redis. Answers how many of these moments have come; `NaN` is none.
 */
export function diesAtCall(n: number): () => number {
  let moments = 0;
  const moment = (): void => {
    moments += 1;
    if (moments === n) process.kill(process.pid, "SIGKILL");
  };
  const observe = (owner: object, name: string): void => {
    const call = Reflect.get(owner, name) as Call;
    Reflect.set(owner, name, function (this: object, ...given: unknown[]) {
      moment();
      const answer = call.apply(this, given);
      if (answer instanceof Promise) answer.then(moment, moment);
      else moment();
      return answer;
    });
  };
  observe(DatabaseSync.prototype, "exec");
  for (const name of ["run", "get", "all"]) observe(StatementSync.prototype, name);
  observe(Client.prototype, "query");
  // A class that has no type.
  const { prototype } = Reflect.get(mysql2, "PromiseConnection") as { readonly prototype: object };
  for (const name of ["query", "execute"]) observe(prototype, name);
  observe(Redis.prototype, "sendCommand");
  return () => moments;
}
