/** Where a test of the suite takes place. */

import type { Store } from "@webhook-inbox/core";
import type { Holds } from "./probes.ts";

/** An empty place for events, made for one test. */
export interface StorePlace {
  /** Makes a store on this place. Called once, or several times where the store claims to be shared or durable. */
  readonly create: () => Store;
  /** Whether a text is anywhere in what is kept, read past the store. Without it, what only that can show is not tested. */
  readonly holds?: Holds;
  /** Removes the place; every store has been closed. */
  readonly remove: () => Promise<void>;
}
