/** Trials of crashes: processes, stores and machines that end at any moment. */

import { damagedSpillRun } from "./damaged-spill.ts";
import { deathsRun } from "./deaths.ts";
import { fleetRun, type Fate } from "./fleet.ts";
import { killLoop, type KillLoopOptions } from "./kill-loop.ts";
import type { PlaceName } from "./places.ts";
import { powerCutRun } from "./power-cut.ts";
import { queueFleetRun } from "./queue-fleet.ts";
import { reapersRun } from "./reapers.ts";
import { at, counted, of, titles, type Trial } from "./trial.ts";

/** Leases of the kill loops: the next kill does not wait for them. */
const leaseMs = 3000;

type Amount = readonly [short: number, full: number];

export function killed(
  id: string,
  name: PlaceName,
  options: Pick<KillLoopOptions, "victim" | "aliveMsMax">,
  kills: Amount,
  ackedMin: Amount = [0, 0],
): Trial {
  const { victim = "receiver" } = options;
  const who = {
    receiver: "receiver killed under load",
    "receiver after commit": "receiver killed between commit and answer, the sender sends again",
    store: "store killed under load",
    both: "receiver and store killed together",
    connections: "all connections reset at random moments under load",
  }[victim];
  return {
    id,
    what: `${who}, ${titles[name]}`,
    run: ({ profile, seed, onStep }) =>
      at(name, async (place) => {
        const [count, least] = [of(profile, ...kills), of(profile, ...ackedMin)];
        const onKill = (kill: number): void => onStep(kill / count);
        const given = { leaseMs, ...options, kills: count, ackedMin: least, seed, onKill };
        const report = await killLoop(place, given);
        const refused = report.refused_authentic;
        const restarts =
          victim === "store" || victim === "connections"
            ? ""
            : `, up again in ${report.restart_ms_max} ms at most`;
        return counted(
          report,
          refused > 0 || report.acked < least,
          `, ${refused} refused; ${report.kills} kills${restarts}`,
        );
      }),
  };
}

const deathsShareMin = 0.6;

export const died = (name: PlaceName): Trial => ({
  id: "K5",
  what: `a death before and after calls of the driver, tables being made, spill, erasure and pruning among them, ${titles[name]}`,
  run: ({ profile, seed, onStep }) =>
    at(name, async (place) => {
      const deaths = of(profile, 8, 1000);
      const onDeath = (death: number): void => onStep(death / deaths);
      const report = await deathsRun(place, { deaths, seed, onDeath });
      const { broken, moments } = report;
      // Not every life has as many moments as the one that was counted.
      const wereFew = report.deaths < deathsShareMin * Math.min(deaths, moments);
      return {
        says: `${report.deaths} deaths at ${moments} moments, ${broken.length} broken${broken.map((one) => `; ${one}`).join("")}`,
        isBroken: broken.length > 0 || wereFew,
        figures: report,
      };
    }),
});

/** How long what a dead process held may wait beyond its lease: its handlers' time where no thread extends it, and a look. */
const recoveryMsMax = 10_000;

export const recovered = (name: PlaceName): Trial => ({
  id: "K6",
  what: `what a killed worker held is handled again, ${titles[name]}`,
  run: ({ profile, seed, isQuiet, onStep }) =>
    at(name, async (place) => {
      const kills = of(profile, 1, 15);
      const lease = of(profile, 5000, 30_000);
      const onKill = (kill: number): void => onStep(kill / kills);
      const aliveMsMin = lease + recoveryMsMax;
      const alive = { leaseMs: lease, aliveMsMin, aliveMsMax: aliveMsMin + 3000 };
      // So that there is something in hand.
      const load = { pauseMs: 200, handlerMs: 200 };
      const report = await killLoop(place, { kills, seed, ...alive, ...load, onKill });
      const ms = report.handled_ms_max;
      const isLate = isQuiet && ms > lease + recoveryMsMax;
      const wasNothingHeld = ms < lease / 2;
      return counted(
        report,
        isLate || wasNothingHeld,
        `; after ${ms} ms at most, with leases of ${lease} ms`,
      );
    }),
});

export const reaped = (name: PlaceName): Trial => ({
  id: "L5",
  what: `leases of the dead that five workers find ended at once, ${titles[name]}`,
  run: ({ profile }) =>
    at(name, async (place) => {
      const report = await reapersRun(place, of(profile, 200, 1000));
      const { expired, not_reaped_once: wrong, stuck } = report;
      return {
        says: `${wrong} of ${expired} not handled exactly once, ${stuck} left over`,
        isBroken: wrong + stuck > 0,
        figures: report,
      };
    }),
});

export const cut = (file: "store" | "spill"): Trial => ({
  id: "K9",
  what: `power cuts, SQLite as ${file}`,
  run: async ({ profile, seed, onStep }) => {
    const cuts = of(profile, 10, 100);
    const onCut = (count: number): void => onStep(count / cuts);
    const report = await powerCutRun({ file, cuts, seed, onCut });
    const { lost, damaged, acked } = report;
    return {
      says: `lost ${lost} of ${acked} acknowledged over ${cuts} cuts, ${damaged} files damaged`,
      isBroken: lost > 0 || damaged > 0 || acked === 0,
      figures: report,
    };
  },
});

export const damaged: Trial = {
  id: "K14",
  what: "a spill that is cut off in the middle of a write, or has a bit turned over",
  run: async ({ profile, seed, onStep }) => {
    const [cuts, flips] = [of(profile, 20, 200), of(profile, 20, 200)];
    const report = await damagedSpillRun({ cuts, flips, seed, onStep });
    const { lost, acked, crashed, harmless, reported, unnoticed } = report;
    return {
      says: `lost ${lost} of ${acked} acknowledged over ${cuts} cuts; of ${flips} bits ${harmless} did no harm, ${reported} were reported, ${unnoticed} not noticed; ${crashed} processes ended`,
      isBroken: lost + crashed > 0,
      figures: report,
    };
  },
};

export const damagedControl: Trial = {
  id: "K14",
  what: "the control of it, cut off before what was acknowledged, must lose",
  run: async ({ seed }) => {
    const report = await damagedSpillRun({ isDeep: true, cuts: 3, flips: 0, seed });
    return {
      says: `lost ${report.lost} of ${report.acked}`,
      isBroken: report.lost === 0,
      figures: report,
    };
  },
};

export const cutControl: Trial = {
  id: "K9",
  what: "the control of it, with synchronous=NORMAL, must lose",
  run: async ({ seed }) => {
    const report = await powerCutRun({ file: "store", cuts: 3, seed, unsynced: true });
    return {
      says: `lost ${report.lost} of ${report.acked}`,
      isBroken: report.lost === 0,
      figures: report,
    };
  },
};

export const killControl: Trial = {
  id: "K2",
  what: "the control of it, which acknowledges before the commit, must lose",
  run: ({ seed }) =>
    at("sqlite", async (place) => {
      const report = await killLoop(place, {
        kills: 10,
        seed,
        aliveMsMax: 500,
        acknowledgeFirst: true,
      });
      const { lost, acked } = report;
      return { says: `lost ${lost} of ${acked}`, isBroken: lost === 0, figures: report };
    }),
};

export const fleet = (id: string, fate: Fate, name: PlaceName): Trial => ({
  id,
  what:
    fate === "off by hours"
      ? `a fleet whose workers' clocks are off by two hours, ${titles[name]}`
      : `members of a fleet ${fate} one after the other, ${titles[name]}`,
  run: ({ profile, seed, onStep }) =>
    at(name, async (place) => {
      const isShort = fate === "restarted" || fate === "killed";
      const fates = of(profile, isShort ? 4 : 2, isShort ? 60 : 20);
      const onFate = (done: number): void => onStep(done / fates);
      const report = await fleetRun(place, { fate, fates, seed, onFate });
      const { refused_authentic: refused, unanswered } = report;
      const isRough =
        refused + report.ended_by_themselves > 0 || (fate === "restarted" && unanswered > 0);
      const more = `, ${refused} refused, ${unanswered} unanswered`;
      if (fate === "off by hours") {
        // Nobody dies of a clock: a handler that ran twice was taken away too early.
        const { dup_effects: again, hours_off: hours } = report;
        const wereOff = hours.includes(-2) && hours.includes(2);
        return counted(
          report,
          isRough || again > 0 || !wereOff,
          `${more}, ${again} handled again by clocks that were off by ${hours.join(", ")} hours`,
        );
      }
      // Who slept through a lease has written something too late.
      const isLate = fate === "paused" || fate === "partitioned";
      return counted(
        report,
        isRough || (isLate && report.fenced === 0),
        isLate ? `${more}; ${report.fenced} writes that came too late refused` : more,
      );
    }),
});

export const queued = (name: PlaceName): Trial => ({
  id: "Q1",
  what: `a BullMQ queue behind a receiver, either side killed, events in ${titles[name]}`,
  run: ({ profile, seed, onStep }) =>
    at(name, async (place) => {
      const kills = of(profile, 9, 150);
      const onKill = (kill: number): void => onStep(kill / kills);
      const report = await queueFleetRun(place, { kills, seed, onKill });
      const { acked, lost, jobs_twice: twice, jobs_left: left, done_again: again } = report;
      return {
        says: `lost ${lost} of ${acked} acknowledged, ${twice} jobs twice, ${left} left; ${report.receivers_killed} receivers and ${report.workers_killed} workers killed, ${again} done again`,
        isBroken: lost + twice + left > 0 || acked === 0 || again > report.in_hand_max,
        figures: report,
      };
    }),
});
