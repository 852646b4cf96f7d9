/**
 * One run of the simulation: real inboxes, a seed that decides everything else. Senders send, repeat and vary; handlers
 * succeed, fail, hang, give up and kill their process; instances crash, pause and have wrong clocks, and some do not know
 * the new token yet; people intervene.
 */

import { createInbox, dead, eventKey, retry, type Audit, type Inbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { seeded } from "../support/random.ts";
import { networked, type Flaw, type Weather } from "./network.ts";
import { InstanceClock, World } from "./world.ts";

export interface Run {
  readonly seed: number;
  /** Invariants that were broken; empty when all held. */
  readonly violations: readonly string[];
  readonly walked: ReadonlySet<string>;
  readonly acts: number;
}

const delaysMs = [5_000, 30_000];
const attemptsMax = delaysMs.length + 1;
const stepsMax = 40;
const instancesCount = 2;
const leaseMs = 30_000;
const timeoutMs = 20_000;

const acts = ["replay", "cancel", "release", "erase"] as const;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Instance {
  readonly inbox: Inbox;
  readonly clock: InstanceClock;
}

export async function simulate(seed: number, flaw?: Flaw): Promise<Run> {
  const random = seeded(seed);
  // Jitter and spread are chance as well.
  const chance = Math.random;
  Math.random = random;
  try {
    return await run(seed, new World(random, attemptsMax), flaw);
  } finally {
    Math.random = chance;
  }
}

async function run(seed: number, world: World, flaw: Flaw | undefined): Promise<Run> {
  const weather: Weather = { failing: 0.05, losing: 0.05 };
  const instances: Instance[] = [];
  const deliveries: Delivery[] = [];
  let isCalm = false;
  let steps = 0;
  await world.base.open({ clock: world.clock });

  function start(): void {
    const clock = new InstanceClock(world);
    if (world.chance(0.2)) clock.skewMs = (world.random() - 0.5) * 7_200_000;
    const token = world.chance(0.5) ? ["t", "new"] : "t";
    const inbox = createInbox({
      store: networked(world, clock, weather, flaw),
      sources: { a: socialData({ token }), b: socialData({ token }) },
      work: { leaseMs },
      retry: { delaysMs },
      retention: { payloadMs: 600_000, keyMs: 1_200_000 },
      limits: { handlersMax: 4 },
      logger: false,
      clock,
    });
    const instance = { inbox, clock };
    for (const source of ["a", "b"] as const) {
      for (const name of ["one", "two"]) {
        inbox.on(source, "job_finished", { name, timeoutMs }, (_, { signal }) =>
          handled(instance, signal),
        );
      }
    }
    inbox.mount();
    instances.push(instance);
  }

  async function handled({ clock }: Instance, signal: AbortSignal): Promise<unknown> {
    await turn();
    const luck = isCalm ? 1 : world.random();
    if (luck < 0.04) clock.die();
    if (luck < 0.08) await new Promise(() => undefined);
    if (luck < 0.12) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (luck < 0.22) throw new Error("failed");
    if (luck < 0.26) return retry({ afterMs: world.random() * 60_000 });
    if (luck < 0.3) return dead("never");
    return undefined;
  }

  async function send(delivery: Delivery): Promise<void> {
    const instance = world.pick(instances.filter(({ clock }) => clock.state === "alive"));
    if (instance === undefined) return;
    const { source, body, key, token } = delivery;
    const answer = await instance.inbox.receive(
      {
        method: "POST",
        target: `/webhooks/${source}/${token}`,
        headers: [],
        remoteAddress: undefined,
      },
      { read: async () => ({ kind: "read", bytes: body, reconstructed: false }) },
    );
    if (answer?.status !== 200 || key === undefined) return;
    // An answer of a process that died meanwhile has not left it.
    if (instance.clock.state === "dead") return;
    await world.looked();
    if (!world.everSeen.has(key)) world.violate("I1 an acknowledged event is not in the store");
  }

  const step = (): void => {
    const luck = world.random();
    const alive = instances.filter(({ clock }) => clock.state === "alive");
    if (luck < 0.3) {
      const delivery = deliveryOf(world, deliveries.length);
      deliveries.push(delivery);
      void send(delivery);
      // A balancer that sends it to a second instance at once.
      if (world.chance(0.3)) void send(delivery);
    } else if (luck < 0.45) {
      const again = world.pick(deliveries);
      if (again !== undefined) void send(again);
    } else if (luck < 0.75) {
      world.clock.advance(Math.floor(world.random() ** 3 * 90_000));
    } else if (luck < 0.8) {
      world.pick(alive)?.clock.die();
    } else if (luck < 0.86) {
      const paused = world.pick(instances.filter(({ clock }) => clock.state === "paused"));
      const chosen = world.pick(alive);
      if (paused !== undefined) paused.clock.resume();
      else if (chosen !== undefined) chosen.clock.state = "paused";
    } else if (luck < 0.96) {
      const chosen = world.pick(alive);
      const event = world.pick(world.events);
      const act = world.pick(acts) ?? "replay";
      if (world.chance(0.2)) chosen?.inbox.verifyAgain().catch(() => undefined);
      else if (chosen !== undefined && event !== undefined) {
        const options = act === "replay" ? { rerun: world.chance(0.5) } : {};
        chosen.inbox[act](event.key, options).catch(() => undefined);
      }
    } else {
      world.clock.advance(3_700_000);
    }
  };

  for (; steps < stepsMax && world.violations.size === 0; steps++) {
    while (instances.filter(({ clock }) => clock.state !== "dead").length < instancesCount) start();
    step();
    for (let turns = Math.floor(world.random() * 12); turns > 0; turns--) await turn();
    await world.looked();
  }

  // Then all is well, and everything must come to an end.
  isCalm = true;
  Object.assign(weather, { failing: 0, losing: 0 });
  for (const { clock } of instances) clock.resume();
  if (!instances.some(({ clock }) => clock.state === "alive")) start();
  for (let round = 0; round < 60 && (round < 2 || !isQuiet(world)); round++) {
    world.clock.advance(40_000);
    for (let turns = 0; turns < 30; turns++) await turn();
    await world.looked();
  }
  if (world.violations.size === 0) {
    if (!isQuiet(world)) world.violate("I5 an event neither ended nor waits for a person");
    const { missing, isBalanced } = await auditOf(world);
    if (missing !== 0 || !isBalanced) world.violate("I6 the audit does not balance");
  }
  for (const { clock } of instances) clock.die();
  return { seed, violations: [...world.violations], walked: world.walked, acts: steps };
}

/** Asked of the store itself, without a network between. */
async function auditOf({ base, clock }: World): Promise<Audit> {
  const sources = { a: socialData({ token: "t" }) };
  return await createInbox({ store: base, sources, work: false, logger: false, clock }).audit();
}

const isQuiet = ({ events }: World): boolean =>
  events.every(({ state }) => state !== "pending" && state !== "running");

interface Delivery {
  readonly source: "a" | "b";
  readonly token: "t" | "new";
  readonly body: Uint8Array;
  /** The key of its event; undefined where it is known by its content. */
  readonly key: string | undefined;
}

/** A delivery: mostly a new one, now and then a known id with other bytes, an unknown type, or nothing readable. */
function deliveryOf(world: World, number: number): Delivery {
  const to = {
    source: world.chance(0.5) ? "a" : "b",
    token: world.chance(0.15) ? "new" : "t",
  } as const;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const luck = world.random();
  if (luck < 0.08) return { ...to, body: bytes(`no json ${number}`), key: undefined };
  if (luck < 0.16)
    return { ...to, body: bytes(JSON.stringify({ event: "new_tweet", number })), key: undefined };
  const isVariant = luck < 0.26 && number > 0;
  const id = isVariant ? Math.floor(world.random() * number) : number;
  // A large one is identified by a worker.
  const padding = world.chance(0.004) ? "p".repeat(262_144) : "";
  const data = {
    job_id: id,
    status: "error",
    message: isVariant ? `variant ${number}` : "",
    padding,
  };
  const body = bytes(JSON.stringify({ event: "job_finished", data }));
  const key = padding === "" ? eventKey(to.source, `job:${id}:error`) : undefined;
  return { ...to, body, key };
}
