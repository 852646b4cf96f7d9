/** What so many events a day need, reckoned from what one of them costs; and such a day, second by second. */

/** What an event costs, all of it measured. */
export interface Costs {
  /** Microseconds of processor time in a process that receives and handles, that only receives, that only handles. */
  readonly both: number;
  readonly receive: number;
  readonly work: number;
  /** The same of the database's server. */
  readonly serverBoth: number;
  readonly serverReceive: number;
  readonly serverWork: number;
  /** Bytes that the server writes to its log, and that it keeps with all indexes. */
  readonly logBytes: number;
  readonly keptBytes: number;
}

/** What is assumed of machines and of a day. */
export interface Assumptions {
  /** Of a machine for a database: cores, bytes a second of its log, bytes of its disk. */
  readonly databaseCores: number;
  readonly logBytesPerSecond: number;
  readonly diskBytes: number;
  /** How much of any of it is to be used at most at the height of a day. */
  readonly share: number;
  /** How long deliveries are kept. */
  readonly keptDays: number;
  /** How long a handler waits for others, and how many may wait in a process at once. */
  readonly handlerMs: number;
  readonly handlersMax: number;
  /** The height of a day, and of a burst on top of it, each a multiple; how long a burst lasts, once an hour. */
  readonly height: number;
  readonly burst: number;
  readonly burstSeconds: number;
}

export const assumptions: Assumptions = {
  databaseCores: 16,
  logBytesPerSecond: 200e6,
  diskBytes: 8e12,
  share: 0.5,
  keptDays: 30,
  handlerMs: 50,
  handlersMax: 64,
  height: 1.8,
  burst: 3,
  burstSeconds: 60,
};

export interface Plan {
  readonly eventsPerDay: number;
  readonly perSecond: number;
  /** In bursts at the height of the day. */
  readonly mostPerSecond: number;
  /** Processes of one core each that do both; or that only receive, and only handle. */
  readonly processes: number;
  readonly receivers: number;
  readonly workers: number;
  /** What one database would need for all of it: cores, bytes of log a second at the height, bytes of disk. */
  readonly serverCores: number;
  readonly logBytesPerSecond: number;
  readonly diskBytes: number;
  /** How many databases that makes, and what asks for them. */
  readonly databases: number;
  readonly because: "one is enough" | "processor" | "log" | "disk";
}

const secondsOfDay = 86_400;

export function planFor(eventsPerDay: number, costs: Costs, given: Assumptions): Plan {
  const perSecond = eventsPerDay / secondsOfDay;
  const atHeight = perSecond * given.height;
  const mostPerSecond = atHeight * given.burst;
  // Whoever receives must keep up with bursts; who handles may come later, but not with the day.
  const cores = (each: number, rate: number, share: number): number => (rate * each) / 1e6 / share;
  const burstShare = Math.min(0.9, given.share * 1.6);
  const waiting = (atHeight * given.handlerMs) / 1000 / (given.handlersMax * given.share);
  const receivers = cores(costs.receive, mostPerSecond, burstShare);
  const workers = Math.max(cores(costs.work, atHeight, given.share), waiting);
  const processes = Math.max(receivers, cores(costs.both, atHeight, given.share), waiting);
  const serverCores = Math.max(
    cores(costs.serverBoth, atHeight, given.share),
    cores(costs.serverReceive, mostPerSecond, burstShare),
  );
  const logBytesPerSecond = (atHeight * costs.logBytes) / given.share;
  const diskBytes = (eventsPerDay * given.keptDays * costs.keptBytes) / 0.75;
  const asks = [
    ["processor", serverCores / given.databaseCores],
    ["log", logBytesPerSecond / given.logBytesPerSecond],
    ["disk", diskBytes / given.diskBytes],
  ] as const;
  const [because, most] = asks.toSorted(([, a], [, b]) => b - a)[0] ?? ["disk", 1];
  return {
    eventsPerDay,
    perSecond,
    mostPerSecond,
    processes: Math.ceil(processes),
    receivers: Math.ceil(receivers),
    workers: Math.ceil(workers),
    serverCores,
    logBytesPerSecond,
    diskBytes,
    databases: Math.ceil(most),
    because: most <= 1 ? "one is enough" : because,
  };
}

export interface Day {
  /** Deliveries that found no room, which senders would have been asked to send again. */
  readonly refused: number;
  /** The most that waited at a time, and how long the last of those waited, in seconds. */
  readonly waitingMost: number;
  readonly waitSecondsMost: number;
  /** Of the databases' processors, in the busiest second and over the day. */
  readonly serverMost: number;
  readonly serverMean: number;
  readonly handled: number;
}

/** A day of a plan whose receivers and workers are apart, in steps of a second. Databases take deliveries first. */
export function dayOf(plan: Plan, costs: Costs, given: Assumptions): Day {
  const { receivers, workers, databases, perSecond } = plan;
  const serverCapacity = databases * given.databaseCores * 1e6 * usable;
  const receiving = (receivers * 1e6 * usable) / costs.receive;
  const working = Math.min(
    (workers * 1e6 * usable) / costs.work,
    (workers * given.handlersMax * 1000) / given.handlerMs,
  );
  let [waiting, refused, handled, waitingMost, waitSecondsMost, serverMost, serverSum] = [
    0, 0, 0, 0, 0, 0, 0,
  ];
  for (let second = 0; second < secondsOfDay; second++) {
    const arrived = perSecond * shapeOf(second, given);
    const taken = Math.min(arrived, receiving, serverCapacity / costs.serverReceive);
    refused += arrived - taken;
    const left = serverCapacity - taken * costs.serverReceive;
    const done = Math.min(waiting + taken, working, left / costs.serverWork);
    waiting += taken - done;
    handled += done;
    const used =
      (taken * costs.serverReceive + done * costs.serverWork) / (serverCapacity / usable);
    serverSum += used;
    serverMost = Math.max(serverMost, used);
    if (waiting > waitingMost) {
      waitingMost = waiting;
      waitSecondsMost = waiting / Math.max(1e-9, Math.min(working, left / costs.serverWork));
    }
  }
  return {
    refused,
    waitingMost,
    waitSecondsMost,
    serverMost,
    serverMean: serverSum / secondsOfDay,
    handled,
  };
}

/** How much of a processor does work before others have to wait noticeably. */
const usable = 0.9;

/** A second of a day as a multiple of the mean: a wave, and a burst at the beginning of each hour. */
export function shapeOf(second: number, { height, burst, burstSeconds }: Assumptions): number {
  const wave = 1 + (height - 1) * Math.sin((2 * Math.PI * second) / secondsOfDay);
  // What bursts add is missing elsewhere, so that the day has as many as it has.
  const inBursts = (burstSeconds / 3600) * (burst - 1) + 1;
  return (wave * (second % 3600 < burstSeconds ? burst : 1)) / inBursts;
}
