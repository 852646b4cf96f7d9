/** The heartbeat thread's own connection to a SQLite file. */

import { systemClock } from "../../contracts/clock.ts";
import type { ConnectHeartbeat } from "../../contracts/store.ts";
import { sqlite } from "./sqlite.ts";

export const connectHeartbeat: ConnectHeartbeat = async (options) => {
  const store = sqlite((options as { readonly filename: string }).filename);
  await store.open({ clock: systemClock });
  return store;
};
