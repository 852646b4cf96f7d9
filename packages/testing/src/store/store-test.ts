/** What a test of the suite is. */

import type { Store } from "@webhook-inbox/core";

/** `open` makes a further store on the same place, ready for use. */
export type StoreTest = (open: () => Promise<Store>) => Promise<void>;

/** Tests by their names, which are sentences about behaviour. */
export type StoreTests = Readonly<Record<string, StoreTest>>;
