/** The Nth call of the store fails, for every N: before it did anything, or after it did all and lost the answer. */

import { createInbox, WebhookInboxError, type Store } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";

type When = "fails" | "is applied, then fails";

const failures: Readonly<Record<string, () => Error>> = {
  "the store is away": () => new WebhookInboxError("STORE_UNAVAILABLE", "away."),
  "an error of its own": () => new Error("constraint"),
};

const verbs = ["open", "take", "claim", "extend", "settle", "intervene", "prune"] as const;

/** A store whose `n`th call fails, counted over all verbs. */
function failingAt<T>(inner: Store<T>, n: number, when: When, failure: () => Error) {
  let calls = 0;
  const failing =
    (verb: (typeof verbs)[number]) =>
    async (...given: readonly unknown[]): Promise<unknown> => {
      calls += 1;
      const isMeant = calls === n;
      if (isMeant && when === "fails") throw failure();
      const act = inner[verb].bind(inner) as (...given: readonly unknown[]) => Promise<unknown>;
      const answer = await act(...given);
      if (isMeant) throw failure();
      return answer;
    };
  const store = wrapped(
    inner,
    Object.fromEntries(verbs.map((verb) => [verb, failing(verb)])) as Partial<Store<T>>,
  );
  return { store, calls: () => calls };
}

/** Deliveries of five jobs, repeated until each was answered 200; then everything is worked off. */
async function scenario<T>(inner: Store<T>, n: number, when: When, failure: () => Error) {
  const { store, calls } = failingAt(inner, n, when, failure);
  const clock = new ManualClock();
  const inbox = createInbox({
    store,
    sources: { socialdata: socialData({ token: "t" }) },
    retry: { delaysMs: [1000] },
    retention: { payloadMs: 86_400_000 },
    logger: false,
    clock,
  });
  const runs: string[] = [];
  // On a clock of its own no thread extends leases: they last as long as handlers may run.
  inbox.on("socialdata", "job_finished", { timeoutMs: 60_000 }, ({ data }, { attempt }) => {
    runs.push(`${data.job_id}`);
    if (data.job_id === 2 && attempt === 1) throw new Error("once");
    if (data.job_id === 3) throw new Error("always");
  });
  const served = await serve(inbox);
  for (const id of [1, 2, 3, 4, 5]) {
    const data = { job_id: id, status: "error" };
    const body = JSON.stringify({ event: "job_finished", data });
    for (let sent = 0; ; sent++) {
      const { status } = await ask(served, "/webhooks/socialdata/t", { body });
      expect(sent).toBeLessThan(3);
      if (status === 200) break;
    }
  }
  const isOver = async (): Promise<boolean> => {
    const { events } = await inbox.list();
    return events.every(({ state }) => state === "done" || state === "dead");
  };
  for (let second = 0; second < 300 && !(await isOver()); second++) {
    clock.advance(1000);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  const acted = await inbox.cancel({ state: "dead" }).catch(() => undefined);
  if (acted === undefined) await inbox.cancel({ state: "dead" });
  clock.advance(120_000);
  await inbox.idle();
  const { events } = await inbox.list();
  const audit = await inbox.audit();
  await inbox.close();
  return { events, runs, audit, calls: calls() };
}

const stores = {
  memory: () => memory({ acceptLoss: true }),
  sqlite: () => sqlite(temporaryFile()),
};

for (const [name, create] of Object.entries(stores)) {
  describe(name, () => {
    for (const when of ["fails", "is applied, then fails"] as const) {
      for (const [what, failure] of Object.entries(failures)) {
        test(`the Nth call ${when} with ${what}, for every N`, async () => {
          let n = 1;
          for (; ; n++) {
            const { events, runs, audit, calls } = await scenario(
              create() as Store,
              n,
              when,
              failure,
            );
            const states = Object.fromEntries(events.map(({ id, state }) => [id, state]));
            expect([n, states]).toEqual([
              n,
              {
                "job:1:error": "done",
                "job:2:error": "done",
                "job:3:error": "cancelled",
                "job:4:error": "done",
                "job:5:error": "done",
              },
            ]);
            expect(new Set(runs)).toEqual(new Set(["1", "2", "3", "4", "5"]));
            expect([n, audit]).toMatchObject([n, { taken: 5, missing: 0, isBalanced: true }]);
            if (calls < n) break;
          }
          expect(n).toBeGreaterThan(15);
        });
      }
    }
  });
}
