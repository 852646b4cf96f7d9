/** Trials of load: backlogs, neighbours, bursts, long runs, and what the time of a comparison says. */

import { backlogRun } from "./backlog.ts";
import { burstRun } from "./burst.ts";
import type { PlaceName } from "./places.ts";
import { soakRun } from "./soak.ts";
import { timingRun } from "./timing.ts";
import { at, counted, of, titles, type Profile, type Trial } from "./trial.ts";

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
    const size = of(profile, 60_000, 600_000);
    const report = await backlogRun({ backlog: size, ...backlogAmount(profile) });
    const isTooMuch = report.p99_ratio > backlogRatioMax || report.used_more_mib > backlogMibMax;
    return {
      says: `p99 of answers ${report.p99_ratio} times that without ${size} events, ${report.used_more_mib} MiB more in use, ${report.refused} refused`,
      isBroken: !report.outlasted || report.refused > 0 || (profile === "full" && isTooMuch),
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
      const size = feeds ? 20 : of(profile, 60_000, 600_000);
      const report = await backlogRun({ backlog: size, feeds, ...backlogAmount(profile) });
      const { start_p99_ms: start, start_ratio: ratio, refused, unbegun } = report;
      return {
        says: `handlers begin after ${start.with} ms (p99), ${start.without} ms alone (${ratio}); ${refused} refused, ${unbegun} not begun`,
        isBroken:
          !report.outlasted ||
          refused + unbegun > 0 ||
          (profile === "full" && ratio > startRatioMax),
        figures: report,
      };
    },
  };
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
const descriptorsMax = 96;

export const exhausted = (name: PlaceName): Trial => ({
  id: "B6",
  what: `more connections than the process may have open, ${titles[name]}`,
  run: () =>
    at(name, async (place) => {
      const report = await burstRun(place, 300, descriptorsMax);
      const { connections, answered_200: taken, answered_else: other, lost, recovered } = report;
      return {
        says: `${taken} of ${connections} answered 200, ${report.unanswered} not at all, ${other} else, lost ${lost}, ${recovered ? "and the next one is taken" : "and no more is taken"}`,
        isBroken: other + lost > 0 || taken === 0 || report.unanswered === 0 || !recovered,
        figures: report,
      };
    }),
});

/** Growth for each thousand deliveries, once all that is reserved once is there. */
const rssKibPer1kMax = 64;
/** Of those that each delivery under way has. */
const timersMoreMax = 16;

export const soaked = (name: PlaceName): Trial => ({
  id: "B8",
  what: `the same load for a long time, ${titles[name]}`,
  run: ({ profile, seed, onStep }) =>
    at(name, async (place) => {
      const [ms, lookMs] = [of(profile, 12_000, 600_000), of(profile, 1000, 5000)];
      const report = await soakRun(place, { ms, lookMs, seed, onLook: onStep });
      const { rss_kib_per_1k: rss, used_kib_per_1k: used, descriptors, timers } = report;
      const [more, moreTimers] = [descriptors, timers].map(([second, last]) => last - second);
      const grows = rss > rssKibPer1kMax || (more ?? 0) > 2 || (moreTimers ?? 0) > timersMoreMax;
      return counted(
        report,
        report.refused_authentic > 0 || (profile === "full" && grows),
        `; ${report.minutes} minutes, ${rss} KiB of memory more for each thousand, ${used} of them in use; descriptors ${descriptors.join(" then ")}, timers ${timers.join(" then ")}`,
      );
    }),
});

const tMax = 4.5;

export const timed: Trial = {
  id: "X1",
  what: "credentials that are wrong at the first byte and at the last",
  run: async ({ profile, seed }) => {
    const report = await timingRun(of(profile, 20_000, 200_000), seed);
    const all = Object.entries(report.t).map(([what, t]) => `${what} ${t}`);
    return {
      says: `|t| of ${all.join(", ")}; the control, === in place of the first, ${report.t_control}`,
      isBroken:
        Object.values(report.t).some((t) => t > tMax) ||
        report.t_control < tMax ||
        report.not_401 > 0,
      figures: report,
    };
  },
};
