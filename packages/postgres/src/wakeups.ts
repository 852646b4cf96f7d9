/**
 * Wake-ups between instances by LISTEN and NOTIFY. They only make things faster: workers look for work by themselves
 * besides. The connection that listens proves every few seconds that it still hears; where it never does, as behind
 * PgBouncer in transaction mode, it is given up for a while.
 */

import { randomUUID } from "node:crypto";
import { systemClock } from "@webhook-inbox/core";
import { inTime } from "@webhook-inbox/core/records";
import type { Connection } from "./connection.ts";
import type { Notification, PostgresClient } from "./pool.ts";

const proofMs = 10_000;
const proofWaitMs = 2000;
const retryMs = 1000;
/** Where a new connection hears nothing, there is a pooler. */
const deafMs = 300_000;
/** Least time between two wake-ups: one of them speaks for all that was taken meanwhile. */
const pauseMs = 5;
/** A connection that listens is not there for anything else. */
const connectionsMin = 3;

export class Wakeups<Client extends PostgresClient = PostgresClient> {
  readonly #connection: Connection<Client>;
  readonly #channel: string;
  /** Tells our own notifications from those of others: proofs are for ourselves, wake-ups for everybody else. */
  readonly #ownProof = `proof ${randomUUID()}`;
  readonly #ownWork = `work ${randomUUID()}`;
  #isSubscribed = false;
  #hasClosed = false;
  #wakeAt = 0;
  #isWaking = false;
  /** What still needs a connection. */
  readonly #underWay = new Set<Promise<void>>();
  #cancel: () => void = () => undefined;
  #end: () => void = () => undefined;
  #heard: () => void = () => undefined;

  constructor(connection: Connection<Client>, schema: string) {
    this.#connection = connection;
    this.#channel = schema;
  }

  /** Calls `onWork` whenever another instance says that it has left work. */
  subscribe(onWork: () => void): void {
    if (this.#isSubscribed || this.#connection.max < connectionsMin) return;
    this.#isSubscribed = true;
    this.#goesOn(this.#listenOn(onWork));
  }

  /** Tells other instances that there is work. Nobody waits for it, and nothing depends on it. */
  wake(): void {
    if (this.#isWaking || this.#hasClosed) return;
    this.#isWaking = true;
    this.#goesOn(this.#tell(this.#wakeAt + pauseMs - Date.now()));
  }

  /** Resolves when nothing of this is asked of the pool any more: its owner may end it then. */
  async close(): Promise<void> {
    this.#hasClosed = true;
    this.#cancel();
    this.#end();
    await Promise.all(this.#underWay);
  }

  #goesOn(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #tell(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      if (waitMs <= 0) setImmediate(resolve);
      else systemClock.after(waitMs, resolve);
    });
    this.#wakeAt = Date.now();
    this.#isWaking = false;
    await this.#notify(this.#ownWork).catch(() => undefined);
  }

  async #listenOn(onWork: () => void): Promise<void> {
    while (!this.#hasClosed) {
      const heardOnce = await this.#listen(onWork).catch(() => true);
      await this.#pause(heardOnce ? retryMs : deafMs);
    }
  }

  /** Listens until the connection hears no more; answers whether it ever did. */
  async #listen(onWork: () => void): Promise<boolean> {
    const client = await this.#connection.take();
    const onNotification = ({ channel, payload }: Notification): void => {
      if (channel !== this.#channel) return;
      if (payload === this.#ownProof) this.#heard();
      else if (payload?.startsWith("work") === true && payload !== this.#ownWork) onWork();
    };
    try {
      if (client.on === undefined || this.#hasClosed) return false;
      client.on("notification", onNotification);
      const ended = new Promise<void>((resolve) => {
        this.#end = resolve;
        client.on?.("error", () => resolve());
        client.on?.("end", () => resolve());
      });
      const listening = client.query({ text: `LISTEN "${this.#channel}"`, values: [] });
      listening.catch(() => undefined);
      await Promise.race([ended, listening]);
      if (this.#hasClosed) return false;
      // One that has died says so here, and another one is asked for soon.
      await listening;
      // What was left before we listened.
      onWork();
      for (let proofs = 0; ; proofs++) {
        if (!(await this.#hears(ended)) || this.#hasClosed) return proofs > 0;
        await Promise.race([ended, this.#pause(proofMs)]);
      }
    } finally {
      client.removeListener?.("notification", onNotification);
      client.release(true);
    }
  }

  /** Sends something to itself by another connection. */
  async #hears(ended: Promise<void>): Promise<boolean> {
    const heard = new Promise<boolean>((resolve) => {
      this.#heard = () => resolve(true);
    });
    try {
      await this.#notify(this.#ownProof);
      const first = Promise.race([heard, ended.then(() => false)]);
      return await inTime(first, proofWaitMs, "nothing was heard");
    } catch {
      return false;
    }
  }

  async #notify(payload: string): Promise<void> {
    await this.#connection.run("SELECT pg_notify($1, $2)", [this.#channel, payload]);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasClosed) return resolve();
      const cancel = systemClock.after(ms, resolve);
      this.#cancel = () => {
        cancel();
        resolve();
      };
    });
  }
}
