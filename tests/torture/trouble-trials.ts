/** Trials of everything else that goes wrong while nobody dies: stores that are away, copies, order, restores, rotations. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copiesRun } from "./copies.ts";
import { broken as disturbanceBroken, disturbanceRun } from "./disturbance.ts";
import { failedSyncRun } from "./failed-sync.ts";
import { farClocksRun } from "./far-clocks.ts";
import { broken as orderBroken, orderRun } from "./order.ts";
import { broken as outageBroken, outageRun } from "./outage.ts";
import { outages, type Make } from "./outages.ts";
import type { PlaceName } from "./places.ts";
import { restoreRun } from "./restore.ts";
import { rotationRun } from "./rotation.ts";
import { suiteRun } from "./suites.ts";
import { at, counted, of, titles, type Trial } from "./trial.ts";
import { SmallDisk } from "../services/disk.ts";
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

export const away = (name: string, make: Make): Trial => ({
  id: outageIds.find(([pattern]) => pattern.test(name))?.[1] ?? "S",
  what: `${name}, with a spill${name === "SQLite read-only" ? "; the receiver is started anew" : ""}`,
  run: async ({ profile, isQuiet, onStep }) => {
    const outage = await make();
    try {
      const outageMs = of(profile, 3000, 60_000);
      const load = { beforeMs: 1500, afterMs: 1000, connections: 8, pauseMs: 40 };
      const report = await outageRun(outage, { ...load, outageMs });
      onStep(1);
      const { p99_ack_during_ms: p99 } = report;
      // Without anything that went through the spill there was no outage.
      const wasNone = report.acked_during === 0 || report.drained === 0;
      return {
        says: `lost ${report.lost} of ${report.acked}, ${report.refused_authentic} refused, p99 ${p99} ms meanwhile, drained in ${report.drain_ms} ms`,
        isBroken:
          wasNone ||
          Object.keys(outageBroken(report)).length > 0 ||
          (isQuiet && p99 > outageP99MsMax),
        figures: report,
      };
    } finally {
      await outage.remove();
    }
  },
});

/** Where a spill takes no more: a tenth of a small disk stays free, so that it can be emptied. */
const spillUsedMin = 0.9;

export const fullSpill: Trial = {
  id: "B5",
  what: "PostgreSQL killed, until the spill's disk is full",
  run: async ({ profile }) => {
    const outage = await outages["PostgreSQL killed"]();
    const disk = new SmallDisk(mkdtempSync(join(tmpdir(), "webhook-inbox-full-")), 64);
    let used = 0;
    try {
      disk.fill(of(profile, 10, 20));
      const report = await outageRun(outage, {
        beforeMs: 500,
        outageMs: of(profile, 10_000, 40_000),
        afterMs: 500,
        connections: 16,
        pauseMs: 5,
        spillIn: disk.path,
        onEnd: () => (used = disk.used),
      });
      const { refused_authentic: refused, possibly_lost: told, ...rest } = report;
      // What was refused was answered 503, as late as its sender waits, and said to be possibly lost.
      const others = outageBroken({ ...rest, refused_authentic: 0, possibly_lost: 0 });
      const isFull = refused > 0 && used >= spillUsedMin;
      return {
        says: `lost ${report.lost} of ${report.acked}, ${refused} refused with the disk ${Math.round(used * 100)} % full, drained in ${report.drain_ms} ms`,
        isBroken:
          Object.keys(others).length > 0 ||
          !isFull ||
          told !== refused ||
          report.refused_503 !== refused,
        figures: report,
      };
    } finally {
      await outage.remove();
      disk.remove();
      rmSync(disk.path, { recursive: true, force: true });
    }
  },
};

export const failedSync = (hasSpill: boolean): Trial => ({
  id: "S4",
  what: `syncs that fail, SQLite${hasSpill ? ", with a spill" : ""}`,
  run: async ({ profile, seed, onStep }) => {
    const failures = of(profile, 5, 50);
    const onFailure = (count: number): void => onStep(count / failures);
    const report = await failedSyncRun({ hasSpill, failures, seed, onFailure });
    const { refused_authentic: refused, failures: failed } = report;
    const wasUnnoticed = hasSpill ? report.spilled === 0 : refused === 0;
    return counted(
      report,
      failed < failures || wasUnnoticed || (hasSpill && refused > 0),
      `, ${refused} refused; ${failed} of ${report.syncs} syncs failed`,
    );
  },
});

export const rotated: Trial = {
  id: "R3",
  what: "a secret that is replaced under load",
  run: async ({ profile }) => {
    const ms = of(profile, 1500, 30_000);
    const report = await rotationRun({ bothMs: ms, afterMs: ms });
    const { sent, valid_refused: refused, late, late_taken: taken } = report;
    return {
      says: `${sent} sent, ${refused} of those with a valid secret refused, ${taken} of ${late} with the old one taken after its time`,
      isBroken: refused + taken > 0 || late === 0,
      figures: report,
    };
  },
};

export const farClocks: Trial = {
  id: "C4",
  what: "clocks that are far away, and what is due in longer than timers last, SQLite",
  run: async () => {
    const report = await farClocksRun();
    const { was_early: isEarly, not_200: refused, undone } = report;
    return {
      says: `${isEarly ? "tried again too early" : "nothing too early"} of what is due in ${report.delay_days} days; by clocks of ${report.clocks.join(", ")} ${refused} refused, ${undone} left over`,
      isBroken: isEarly || refused + undone + report.not_far > 0,
      figures: report,
    };
  },
};

/** Figures of one short round are shown, and held to their bar in the full run. */
export const disturbed = (name: PlaceName): Trial => ({
  id: "R1",
  what: `deliveries beside a mass replay, and beside a spill that drains, ${titles[name]}`,
  run: ({ profile }) =>
    at(name, async ({ url }) => {
      const report = await disturbanceRun(url, {
        dead: of(profile, 5000, 100_000),
        spilled: of(profile, 200, 1000),
        rounds: of(profile, 1, 5),
        roundMs: of(profile, 2000, 8000),
        perSecond: 100,
        replayPerSecond: 100,
      });
      const { replay_ratio: replay, drain_ratio: drain, refused, replayed, drained } = report;
      const wasNothing = replayed === 0 || drained === 0;
      return {
        says: `p99 of answers ${replay} times that alone beside the replay, ${drain} beside the spill; ${refused} refused`,
        isBroken: wasNothing || refused > 0 || (profile === "full" && disturbanceBroken(report)),
        figures: report,
      };
    }),
});

/** `N7` is a balancer that sends each delivery to a second process. */
export const copied = (id: "D1" | "D4" | "N7", name: PlaceName): Trial => {
  const differ = id === "D4";
  const copies = id === "D1" ? 64 : 2;
  const what = { D1: "64 copies", D4: "two contents under one id", N7: "each delivery twice" }[id];
  return {
    id,
    what: `${what} at four processes at once, ${titles[name]}`,
    run: ({ profile }) =>
      at(name, async (place) => {
        const ids = id === "N7" ? of(profile, 200, 5000) : of(profile, 50, 1000);
        const report = await copiesRun(place, { ids, copies, differ });
        const { sent, not_200: refused, not_one_event: events, dup_effects: effects } = report;
        const conflicts = differ ? `, ${report.not_one_conflict} ids without their conflict` : "";
        return {
          says: `${sent} sent, ${refused} not 200, ${events} of ${ids} ids not one event, ${effects} not handled once${conflicts}`,
          isBroken: refused + events + effects + report.not_one_conflict > 0,
          figures: report,
        };
      }),
  };
};

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

const named = (failures: readonly string[]): string => failures.map((one) => `; ${one}`).join("");

/** Sequences of sixty calls; a schema of PostgreSQL takes a third of a second to make. */
const modelSequences: Readonly<Record<PlaceName, readonly [short: number, full: number]>> = {
  sqlite: [12, 10_000],
  postgres: [12, 1000],
  mysql: [12, 1000],
  redis: [12, 10_000],
};
const modelFiles = {
  sqlite: ["testing/stores", "sqlite.*model: "],
  postgres: ["postgres/store", "model: "],
  mysql: ["mysql/store", "model: "],
  redis: ["redis/store", "ioredis.*model: "],
} as const;

export const modelled = (name: PlaceName): Trial => ({
  id: "SIM2",
  what: `sequences of calls, answered as by a model, ${titles[name]}`,
  run: async ({ profile }) => {
    const sequences = of(profile, ...modelSequences[name]);
    const [file, tests] = modelFiles[name];
    const env = { MODEL_SEQUENCES: String(sequences) };
    const report = suiteRun([file], tests, undefined, env);
    const { passed, failed, failures } = report;
    return {
      says: `${passed} passed, ${failed} failed${named(failures)}`,
      isBroken: failed > 0 || passed < sequences,
      figures: { ...report, sequences },
    };
  },
});

/** Of each scheme, and of each way to write a content; the fuzz tests say how many. */
const fuzzRounds: readonly [short: number, full: number] = [400, 20_000];

export const fuzzed: Trial = {
  id: "X2",
  what: "verifiers, queries, headers and JSON, altered at random",
  run: async ({ profile }) => {
    const rounds = of(profile, ...fuzzRounds);
    const files = ["testing/provider-suites", "testing/fuzz"];
    const report = suiteRun(files, "fuzz: ", undefined, { FUZZ_ROUNDS: String(rounds) });
    const { passed, failed, failures } = report;
    return {
      says: `${passed} tests of ${rounds} deliveries each passed, ${failed} failed${named(failures)}`,
      isBroken: failed > 0 || passed === 0,
      figures: { ...report, rounds },
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
      says: `${passed} tests passed, ${failed} failed${named(failures)}`,
      isBroken: failed > 0 || passed === 0,
      figures: report,
    };
  },
});
