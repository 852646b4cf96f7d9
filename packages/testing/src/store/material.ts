/** Events and asks for the tests of the suite. */

import type {
  Claim,
  ClaimAsk,
  Delivery,
  EventRecord,
  Hold,
  NewEvent,
  PruneAsk,
  Store,
  TakeAsk,
  Taken,
} from "@webhook-inbox/core";
import { eventKey } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";

/** A lease that ends long after the test. */
export const long = 3_600_000;

let fences = 0;

/** A fence that nobody has used. */
function newFence(): string {
  fences += 1;
  return `suite/${fences}`;
}

/** A delivery of `text`. Bytes of every value follow it, so that a store that decodes bodies is found out. */
export function deliveryOf(text: string): Delivery {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  return {
    method: "POST",
    target: "/webhooks/a/***?q=ü%00",
    account: undefined,
    segment: undefined,
    headers: ["Content-Type", "application/json", "X-Twice", "1", "x-twice", "2"],
    body: Uint8Array.from([...new TextEncoder().encode(text), ...every]),
    reconstructed: false,
    verifiedWith: "token#1",
    receivedAt: 1_700_000_000_000,
    contentHash: text,
  };
}

/** An event of source `a`, known as `id`, that says `text`. */
export function eventOf(
  id: string,
  more: Partial<NewEvent> & { readonly text?: string } = {},
): NewEvent {
  const { text = id, source = "a", ...rest } = more;
  return {
    key: eventKey(source, id),
    source,
    id,
    type: "happened",
    identified: true,
    occurredAt: 1_600_000_000_000,
    notes: [],
    quarantine: undefined,
    delivery: deliveryOf(text),
    copies: 1,
    conflictKey: eventKey(source, `${id}\0${text}`),
    ...rest,
  };
}

/** A delivery of source `a` that was answered 401, as an event that is known as `id`. */
export function refusedEvent(id: string, more: Partial<NewEvent> = {}): NewEvent {
  const sealed = { salt: "salt", token: "digest", headers: { "x-key": "digest" } };
  return eventOf(id, {
    identified: false,
    refused: "mismatch",
    conflictKey: undefined,
    delivery: { ...deliveryOf(id), verifiedWith: "refused", sealed },
    ...more,
  });
}

/** Goes on until a round is over, and adds up. */
export async function pruneRound(
  store: Store,
  ask: PruneAsk,
): Promise<{ readonly payloads: number; readonly keys: number }> {
  const sum = { payloads: 0, keys: 0 };
  let cursor: string | undefined;
  do {
    const answer = await store.prune(cursor === undefined ? ask : { ...ask, cursor });
    sum.payloads += answer.payloads;
    sum.keys += answer.keys;
    ({ cursor } = answer);
  } while (cursor !== undefined);
  return sum;
}

export function takeAsk(more: Partial<TakeAsk> = {}): TakeAsk {
  return { fence: newFence(), leaseMs: long, slots: {}, ...more };
}

export function claimAsk(more: Partial<ClaimAsk> = {}): ClaimAsk {
  return {
    fence: newFence(),
    leaseMs: long,
    slots: { a: 100 },
    suspectsMax: 100,
    crashesMax: 100,
    bytesMax: 1e9,
    ...more,
  };
}

/** Takes one event and answers what became of it. */
export async function take(
  store: Store,
  event: NewEvent,
  ask: TakeAsk = takeAsk(),
): Promise<Taken> {
  const [answer] = await store.take([event], ask);
  assert.ok(answer);
  return answer;
}

/** Takes an event that is due, claims it, and answers the claim. */
export async function taken(store: Store, id: string, leaseMs: number = long): Promise<Claim> {
  await take(store, eventOf(id));
  const { claims } = await store.claim(claimAsk({ leaseMs }));
  const claim = claims.find(({ event }) => event.id === id);
  assert.ok(claim, `${id} is claimed`);
  return claim;
}

/** The record of an event of source `a`. */
export async function recordOf(store: Store, id: string): Promise<EventRecord> {
  const found = await store.get(eventKey("a", id));
  assert.ok(found, `${id} is there`);
  return found.event;
}

export const ids = (claims: readonly Claim[]): readonly string[] =>
  claims.map(({ event }) => event.id).sort();

/** What shows that a claim is held. */
export const holdOf = ({ event, fence }: Claim): Hold => ({ key: event.key, fence });

/** A settlement of a claim, `done` unless told otherwise. */
export function settlementOf(
  { event, fence }: Claim,
  more: Partial<Parameters<Store["settle"]>[0][number]> = {},
): Parameters<Store["settle"]>[0][number] {
  return {
    key: event.key,
    fence,
    outcome: { state: "done" },
    finished: [],
    gaveUp: [],
    history: [],
    ...more,
  };
}
