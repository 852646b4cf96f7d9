/** What a trial of the torture run is, and what trials share. */

import { isBroken as breaksPromise, type Report } from "./checker.ts";
import { places, type Place, type PlaceName } from "./places.ts";

export type Profile = "short" | "full";

export interface Given {
  readonly profile: Profile;
  readonly seed: number;
  /** Whether nothing else runs on the machine, so that bars of time count. */
  readonly isQuiet: boolean;
  /** Called with how much of it is done. */
  readonly onStep: (done: number) => void;
}

/** What a trial has found. */
export interface Found {
  /** The figure that it is there for, in words. */
  readonly says: string;
  readonly isBroken: boolean;
  readonly figures: object;
}

export interface Trial {
  readonly id: string;
  readonly what: string;
  readonly run: (given: Given) => Promise<Found>;
}

export const names = Object.keys(places) as readonly PlaceName[];
export const servers = ["postgres", "mysql", "redis"] as const satisfies readonly PlaceName[];
export const titles: Readonly<Record<PlaceName, string>> = {
  sqlite: "SQLite",
  postgres: "PostgreSQL",
  mysql: "MySQL",
  redis: "Redis",
};

export async function at<T>(name: PlaceName, use: (place: Place) => Promise<T>): Promise<T> {
  const place = await places[name]();
  try {
    return await use(place);
  } finally {
    await place.remove();
  }
}

export const of = <T>(profile: Profile, short: T, full: T): T =>
  profile === "full" ? full : short;

export function counted(report: Report, isBroken: boolean, more = ""): Found {
  const { lost, acked, dup_events: twice, dup_transactions: effects } = report;
  const exact = effects === undefined ? "" : `, ${effects} effects twice`;
  return {
    says: `lost ${lost} of ${acked} acknowledged, ${twice} events twice${exact}${more}`,
    isBroken: isBroken || acked === 0 || breaksPromise(report),
    figures: report,
  };
}
