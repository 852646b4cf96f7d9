import { createInbox, dead, retry, systemClock, type Inbox } from "@webhook-inbox/core";
import { generic } from "@webhook-inbox/core/providers/generic";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { enqueue, processor, type EnqueueOptions, type JobHandlersOf } from "@webhook-inbox/bullmq";
import { Queue, QueueEvents, Worker, type Job } from "bullmq";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import * as z from "zod";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const sources = {
  shop: generic({
    token: "t",
    id: "id",
    type: "type",
    events: { "order.created": z.object({ id: z.string(), total: z.coerce.number() }) },
  }),
};
type Handlers = JobHandlersOf<typeof sources>;

const connection = { url: inject("redisUrl") };
let names = 0;

/** An inbox that hands everything over, and a worker of the queue with an inbox of its own on the same file. */
async function desk(handlers: Handlers, options: EnqueueOptions = {}) {
  const name = `orders-${process.pid}-${names++}`;
  const file = temporaryFile();
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  const inbox = createInbox({
    store: sqlite(file),
    sources,
    logger: false,
    retry: { delaysMs: [50, 50, 50] },
  });
  inbox.on("shop", "*", enqueue(queue, options));
  const far = createInbox({ store: sqlite(file), sources, logger: false, work: false });
  const worker = new Worker(name, processor(far, handlers), { connection });
  await worker.waitUntilReady();
  onTestFinished(async () => {
    await worker.close();
    await inbox.close();
    await far.close();
    await queue.obliterate({ force: true });
    await events.close();
    await queue.close();
  });
  return { inbox, queue, events, worker, send: (body: object) => sent(inbox, body) };
}

/** Resolves once the inbox has handed it over. */
async function sent(inbox: Inbox<typeof sources>, body: object): Promise<string> {
  const request = new Request("http://inbox.test/webhooks/shop/t", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect((await inbox.fetch(request)).status).toBe(200);
  await inbox.idle();
  const [event] = (await inbox.list({ limit: 1 })).events;
  return event?.key ?? "";
}

async function onlyJob(queue: Queue): Promise<Job> {
  const jobs = await queue.getJobs();
  expect(jobs.length).toBe(1);
  return jobs[0] as Job;
}

const order = { id: "o-1", type: "order.created", total: "12.5" };
const ended = 10_000;

describe.each(["reference", "value"] as const)("by %s", (body) => {
  test("a worker's function gets the event as a handler would, and what BullMQ knows of the job", async () => {
    const seen: unknown[] = [];
    const { queue, events, send } = await desk(
      {
        shop: {
          "order.created": ({ data, id, source, type, key }, { attempt, idempotencyKey, job }) => {
            // The schema has made a number of it.
            const total: number = data.total;
            seen.push({ total, id, source, type, key, attempt, isKey: job.id === idempotencyKey });
          },
        },
      },
      { body },
    );
    const key = await send(order);
    const job = await onlyJob(queue);
    await job.waitUntilFinished(events, ended);
    expect(job.name).toBe("order.created");
    expect(seen).toEqual([
      {
        total: 12.5,
        id: "o-1",
        source: "shop",
        type: "order.created",
        key,
        attempt: 1,
        isKey: true,
      },
    ]);
    expect(JSON.stringify(job.data).includes("12.5")).toBe(body === "value");
  });
});

test("attempts and backoff are those of the job", async () => {
  const attempts: number[] = [];
  const { queue, events, send } = await desk(
    {
      shop: {
        "*": (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error("not yet");
        },
      },
    },
    { job: { attempts: 3, backoff: { type: "fixed", delay: 10 } } },
  );
  await send(order);
  await (await onlyJob(queue)).waitUntilFinished(events, ended);
  expect(attempts).toEqual([1, 2, 3]);
});

test("dead() fails a job for good, retry() delays it", async () => {
  const seen: string[] = [];
  const { queue, events, send } = await desk(
    {
      shop: {
        "order.created": ({ id }) => {
          seen.push(id);
          return seen.length === 1 ? retry({ afterMs: 20 }) : dead("no such customer");
        },
      },
    },
    { job: { attempts: 5 } },
  );
  await send(order);
  const job = await onlyJob(queue);
  await expect(job.waitUntilFinished(events, ended)).rejects.toThrow("no such customer");
  expect(seen).toEqual(["o-1", "o-1"]);
});

test("a job whose event was erased meanwhile fails for good", async () => {
  const { inbox, queue, events, worker, send } = await desk(
    { shop: { "*": () => undefined } },
    { job: { attempts: 5 } },
  );
  await worker.pause();
  const key = await send(order);
  await inbox.erase(key);
  await worker.resume();
  const job = await onlyJob(queue);
  await expect(job.waitUntilFinished(events, ended)).rejects.toThrow("is not there any more");
  expect((await queue.getJob(job.id ?? ""))?.attemptsMade).toBe(1);
});

test("an event that the queue takes for another job has failed, and is handed over again", async () => {
  const { inbox } = await desk({ shop: { "*": () => undefined } });
  const other = createInbox({
    store: sqlite(temporaryFile()),
    sources,
    logger: false,
    retry: { delaysMs: [] },
  });
  onTestFinished(() => other.close());
  other.on("shop", "*", enqueue({ name: "q", add: () => Promise.resolve({ id: "another" }) }));
  await sent(other, order);
  const [event] = (await other.list()).events;
  expect(event?.state).toBe("dead");
  expect(JSON.stringify(event?.history)).toContain("must not deduplicate");
  await inbox.idle();
});

test("without an inbox to read it from, a job that names its event fails", async () => {
  const run = processor<typeof sources>(undefined, { shop: { "*": () => undefined } });
  const data = { key: "k", source: "shop", type: "x", idempotencyKey: "i" };
  await expect(run({ data } as Job)).rejects.toThrow(/body: "value"/);
});

test("a job that no function here is for fails as others do, whatever its type is called", async () => {
  const { queue, events, send } = await desk({ shop: {} }, { job: { attempts: 2 } });
  await send({ ...order, type: "constructor" });
  const job = await onlyJob(queue);
  await expect(job.waitUntilFinished(events, ended)).rejects.toThrow(
    "no function for shop/constructor",
  );
  expect((await queue.getJob(job.id ?? ""))?.attemptsMade).toBe(2);
});

test("an event that is handed over again is one job, and a replay that runs handlers again another one", async () => {
  const { inbox, queue, send } = await desk({ shop: { "*": () => undefined } });
  const key = await send(order);
  await send(order);
  await inbox.replay(key);
  await inbox.idle();
  expect((await queue.getJobs()).length).toBe(1);
  await inbox.replay(key, { rerun: true });
  await inbox.idle();
  expect((await queue.getJobs()).length).toBe(2);
});

test("a queue that does not take its job in time is asked again later", async () => {
  const { inbox, queue } = await desk({ shop: { "*": () => undefined } });
  const taken: unknown[] = [];
  let asks = 0;
  const slow = {
    name: queue.name,
    add: (...given: readonly unknown[]): Promise<unknown> => {
      asks += 1;
      if (asks === 1) return new Promise(() => undefined);
      taken.push(given);
      return Promise.resolve();
    },
  };
  const other = createInbox({
    store: sqlite(temporaryFile()),
    sources,
    logger: false,
    clock: systemClock,
    retry: { delaysMs: [10] },
  });
  onTestFinished(() => other.close());
  other.on("shop", "order.created", enqueue(slow, { timeoutMs: 50 }));
  await sent(other, order);
  await expect.poll(() => taken.length).toBe(1);
  await other.idle();
  const [event] = (await other.list()).events;
  expect(event?.state).toBe("done");
  expect(JSON.stringify(event?.history)).toContain("did not take the job in time");
  await inbox.idle();
});

test("options that cannot be are refused at once", () => {
  const queue = { name: "q", add: () => Promise.resolve() };
  const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown;
  expect(() => enqueue({} as never)).toThrow(invalid);
  expect(() => enqueue(queue, { boby: "value" } as never)).toThrow(/no option "boby"/);
  expect(() => enqueue(queue, { body: "all" as never })).toThrow(invalid);
  expect(() => enqueue(queue, { timeoutMs: 0 })).toThrow(invalid);
  expect(() => enqueue(queue, { job: { jobId: "1" } as never })).toThrow(invalid);
  expect(() => enqueue(queue, { job: { deduplication: { id: "1" } } as never })).toThrow(invalid);
});
