/** Trials of everything else that goes wrong while nobody dies: stores that are away, copies, order, backlogs. */

import { backlogRun } from "./backlog.ts";
import { burstRun } from "./burst.ts";
import { copiesRun } from "./copies.ts";
import { broken as orderBroken, orderRun } from "./order.ts";
import { broken as outageBroken, outageRun } from "./outage.ts";
import type { outages } from "./outages.ts";
import type { PlaceName } from "./places.ts";
import { restoreRun } from "./restore.ts";
import { suiteRun } from "./suites.ts";
import { at, of, titles, type Profile, type Trial } from "./trial.ts";
import { simulateAll } from "../simulation/simulation.ts";

const outageIds: readonly (readonly [RegExp, string])[] = [
  [/killed/, "K7"],
  [/SQLite frozen/, "S2"],
  [/frozen/, "S6"],
  [/read-only/, "S7"],
  [/out of disk/, "S3"],
  [/connections/, "S5"],
  [/black-holed/, "N2"],
];
const outageP99MsMax = 250;

export const away = (name: string, make: (typeof outages)[string]): Trial => ({
  id: outageIds.find(([pattern]) => pattern.test(name))?.[1] ?? "S",
  what: `${name}, with a spill`,
  run: async ({ profile, isQuiet, onStep }) => {
    const outage = await make();
    try {
      const outageMs = of(profile, 3000, 60_000);
      const load = { beforeMs: 1500, afterMs: 1000, connections: 8, pauseMs: 40 };
      const report = await outageRun(outage, { ...load, outageMs });
      onStep(1);
      const { p99_ack_during_ms: p99 } = report;
      return {
        says: `lost ${report.lost} of ${report.acked}, ${report.refused_authentic} refused, p99 ${p99} ms meanwhile, drained in ${report.drain_ms} ms`,
        isBroken: Object.keys(outageBroken(report)).length > 0 || (isQuiet && p99 > outageP99MsMax),
        figures: report,
      };
    } finally {
      await outage.remove();
    }
  },
});

export const copied = (id: string, name: PlaceName, differ: boolean): Trial => ({
  id,
  what: `${differ ? "two contents under one id" : "64 copies"} at four processes at once, ${titles[name]}`,
  run: ({ profile }) =>
    at(name, async (place) => {
      const ids = of(profile, 50, 1000);
      const report = await copiesRun(place, { ids, copies: differ ? 2 : 64, differ });
      const { sent, not_200: refused, not_one_event: events, dup_effects: effects } = report;
      const conflicts = differ ? `, ${report.not_one_conflict} ids without their conflict` : "";
      return {
        says: `${sent} sent, ${refused} not 200, ${events} of ${ids} ids not one event, ${effects} not handled once${conflicts}`,
        isBroken: refused + events + effects + report.not_one_conflict > 0,
        figures: report,
      };
    }),
});

export const ordered = (name: PlaceName): Trial => ({
  id: "L8",
  what: `20 keys in order over three processes that are killed, ${titles[name]}`,
  run: ({ profile, seed }) =>
    at(name, async ({ url }) => {
      const amount = { events: of(profile, 50, 500), kills: of(profile, 3, 10) };
      const report = await orderRun(url, { keys: 20, processes: 3, ...amount, seed });
      return {
        says: `${report.inversions} inversions, ${report.overlaps} overlaps, ${report.lost} lost of ${report.acked}`,
        isBroken: orderBroken(report),
        figures: report,
      };
    }),
});

export const orderControl: Trial = {
  id: "L8",
  what: "the control of it, without orderBy, must be out of order",
  run: async ({ seed }) => {
    const amount = { keys: 20, events: 50, processes: 3, kills: 0 };
    const report = await orderRun("", { ...amount, seed, unordered: true });
    return {
      says: `${report.inversions} inversions`,
      isBroken: report.inversions === 0,
      figures: report,
    };
  },
};

/** What a backlog may do: to the slowest answer in a hundred, to the slowest start of a handler, and to memory. */
const backlogRatioMax = 1.5;
const startRatioMax = 2;
const backlogMibMax = 8;

const backlogAmount = (profile: Profile) => ({
  rounds: of(profile, 1, 5),
  roundMs: of(profile, 3000, 10_000),
  perSecond: 100,
  handlerMs: 10,
});

/** One short round has too few answers for a p99: it is shown, and held to its bar in the full run. */
export const backlog: Trial = {
  id: "B1",
  what: "deliveries beside a backlog, SQLite",
  run: async ({ profile }) => {
    const size = of(profile, 20_000, 500_000);
    const report = await backlogRun({ backlog: size, ...backlogAmount(profile) });
    const isTooMuch = report.p99_ratio > backlogRatioMax || report.used_more_mib > backlogMibMax;
    return {
      says: `p99 of answers ${report.p99_ratio} times that without ${size} events, ${report.used_more_mib} MiB more in use, ${report.refused} refused`,
      isBroken: report.refused > 0 || (profile === "full" && isTooMuch),
      figures: report,
    };
  },
};

export const neighbours = (id: "B4" | "L9"): Trial => {
  const feeds = id === "L9";
  const who = feeds ? "whose handlers send two further deliveries each" : "with a long backlog";
  return {
    id,
    what: `another source ${who}, SQLite`,
    run: async ({ profile }) => {
      const size = feeds ? 20 : of(profile, 20_000, 100_000);
      const report = await backlogRun({ backlog: size, feeds, ...backlogAmount(profile) });
      const { start_p99_ms: start, start_ratio: ratio, refused } = report;
      return {
        says: `handlers begin after ${start.with} ms (p99), ${start.without} ms alone (${ratio}); ${refused} refused`,
        isBroken: refused > 0 || (profile === "full" && ratio > startRatioMax),
        figures: report,
      };
    },
  };
};

export const simulated: Trial = {
  id: "SIM1",
  what: "simulated networks, crashes and clocks",
  run: async ({ profile, seed, onStep }) => {
    const seeds = of(profile, 2000, 200_000);
    const { broken } = await simulateAll(seed, seeds, undefined, (done) => onStep(done / seeds));
    return {
      says: `${broken.length} broken of ${seeds} seeds from ${seed}`,
      isBroken: broken.length > 0,
      figures: { seeds, broken },
    };
  },
};

export const burst = (name: PlaceName): Trial => ({
  id: "B3",
  what: `connections that all come at once, ${titles[name]}`,
  run: ({ profile }) =>
    at(name, async (place) => {
      const report = await burstRun(place, of(profile, 2000, 5000));
      const { connections, answered_200: taken, answered_503: later, unanswered, lost } = report;
      const { answered_else: other, max_ms: slowest } = report;
      return {
        says: `${taken} of ${connections} answered 200, ${later} 503, ${other} else, ${unanswered} not at all, lost ${lost}, ${slowest} ms at most`,
        isBroken: other + unanswered + lost > 0 || taken === 0 || !report.recovered,
        figures: report,
      };
    }),
});

/** What a receiver has open before anybody comes is 25 or so. */
const descriptors = 96;

export const exhausted = (name: PlaceName): Trial => ({
  id: "B6",
  what: `more connections than the process may have open, ${titles[name]}`,
  run: () =>
    at(name, async (place) => {
      const report = await burstRun(place, 300, descriptors);
      const { connections, answered_200: taken, answered_else: other, lost, recovered } = report;
      return {
        says: `${taken} of ${connections} answered 200, ${report.unanswered} not at all, ${other} else, lost ${lost}, ${recovered ? "and the next one is taken" : "and no more is taken"}`,
        isBroken: other + lost > 0 || taken === 0 || !recovered,
        figures: report,
      };
    }),
});

export const restored: Trial = {
  id: "R5",
  what: "a backup under load takes the place of the file, SQLite",
  run: async ({ seed }) => {
    const report = await restoreRun(seed);
    const { acked_before: before, lost, sent_again: again, not_taken: not } = report;
    const books = report.is_balanced ? "the books balance" : "the books do not balance";
    return {
      says: `lost ${lost} of ${before} acknowledged before it, ${not} of ${again} that came later not taken again, ${books}`,
      isBroken: lost + not > 0 || before === 0 || again === 0 || !report.is_balanced,
      figures: report,
    };
  },
};

export const tested = (
  id: string,
  what: string,
  files: readonly string[],
  name: string,
): Trial => ({
  id,
  what,
  run: async () => {
    const report = suiteRun(files, name);
    const { passed, failed, failures } = report;
    return {
      says: `${passed} tests passed, ${failed} failed${failures.map((one) => `; ${one}`).join("")}`,
      isBroken: failed > 0 || passed === 0,
      figures: report,
    };
  },
});
