import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { storeSuite } from "@webhook-inbox/testing/store";
import { describe, expect, test } from "vitest";

// What each store says of itself is pinned: one that promises less would be tested for less.
describe("memory", () => {
  const supports = { durability: "none", shared: false, transactions: false } as const;
  test("says what it supports", () => expect(memory().supports).toEqual(supports));
  const place = async () => ({ create: () => memory(), remove: async () => undefined });
  storeSuite({ test, supports, place });
});

describe("sqlite", () => {
  const supports = { durability: "commit", shared: true, transactions: true } as const;
  test("says what it supports", () => expect(sqlite("never-opened").supports).toEqual(supports));
  const place = async () => {
    const directory = await mkdtemp(join(tmpdir(), "webhook-inbox-"));
    return {
      create: () => sqlite(join(directory, "inbox.sqlite")),
      remove: () => rm(directory, { recursive: true }),
    };
  };
  storeSuite({ test, supports, place });
});
