import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { storeSuite } from "@webhook-inbox/testing/store";
import { journal } from "./journal.ts";

storeSuite({
  test: (name, body) => void test(name, body),
  // What it says of itself: a store that promises less is tested for less.
  supports: { durability: "commit", shared: false, transactions: false, wakeups: false },
  place: async () => {
    const directory = await mkdtemp(join(tmpdir(), "journal-"));
    return {
      create: () => journal(join(directory, "journal.jsonl")),
      remove: () => rm(directory, { recursive: true }),
    };
  },
});
