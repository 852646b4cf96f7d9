/** Flaws that an inbox must not have, each a change of one place, and the tests that are there to notice it. */

export interface Flaw {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly put: string;
  readonly noticedBy: NoticedBy;
}

/** Tests of files, `<project>/<part of the path>`, `only` of those whose names match; or a trial of the torture run. */
export type NoticedBy =
  | { readonly tests: readonly string[]; readonly only?: string }
  | { readonly trial: string };

const core = "packages/core/src";

export const flaws: readonly Flaw[] = [
  {
    name: "acknowledges before the commit",
    file: `${core}/receive/custody.ts`,
    find: "const outcome = await commits.add({ events, isWanted });",
    put: 'void commits.add({ events, isWanted }); const outcome: Outcome = { taken: events.map(() => ({ kind: "taken" })) };',
    noticedBy: { tests: ["core/custody", "core/receive"] },
  },
  {
    name: "looks whether an event is there, and inserts it then",
    file: "packages/postgres/src/insert.ts",
    find: "ON CONFLICT (key) DO NOTHING",
    put: "",
    noticedBy: { tests: ["postgres/store"] },
  },
  {
    name: "settles whatever the fence is",
    file: `${core}/stores/sqlite/settle.ts`,
    find: "AND fence = ?9 AND state = 'running'",
    put: "AND ?9 = ?9 AND state = 'running'",
    noticedBy: { tests: ["testing/stores"] },
  },
  {
    name: "believes a fence only until its lease ends",
    file: `${core}/stores/sqlite/settle.ts`,
    find: "AND fence = ?9 AND state = 'running'",
    put: "AND fence = ?9 AND state = 'running' AND lease_ends_at > unixepoch('subsec') * 1000",
    noticedBy: { tests: ["testing/stores"] },
  },
  {
    name: "extends leases from the main thread alone",
    file: `${core}/work/leases.ts`,
    find: "if (!supports.shared || threadAccess === undefined || clock !== systemClock) return;",
    put: "if (threadAccess === undefined || clock === systemClock) return;",
    noticedBy: { tests: ["core/leases"], only: "blocks the event loop" },
  },
  {
    name: "counts attempts when they end",
    file: `${core}/stores/sqlite/claim.ts`,
    find: "attempts = attempts + 1",
    put: "attempts = attempts + 0",
    noticedBy: { tests: ["testing/stores"] },
  },
  {
    name: "does not sync what it acknowledges",
    file: `${core}/stores/sqlite/connection.ts`,
    find: 'database.exec("PRAGMA synchronous = FULL");',
    put: 'database.exec("PRAGMA synchronous = NORMAL");',
    noticedBy: { trial: "K9" },
  },
  {
    name: "lets go in the spill before the store has it",
    file: `${core}/receive/spill-drain.ts`,
    find: "const ends = await this.#part(() => Promise.all(claims.map((claim) => this.#move(claim))));",
    put: 'await this.#part(() => spill.settle(claims, claims.map(() => "moved" as const))); const ends = await this.#part(() => Promise.all(claims.map((claim) => this.#move(claim))));',
    noticedBy: { tests: ["core/spill"] },
  },
  {
    name: "knows events by their ids, whatever their source",
    file: `${core}/event-key.ts`,
    find: "sha256(`${source}\\0${id}`)",
    put: "sha256(`${id}`)",
    noticedBy: { tests: ["core/receive", "core/hostile", "testing/stores"] },
  },
  {
    name: "verifies what it has parsed and written again",
    file: `${core}/verify/hmac.ts`,
    find: "for (const part of content) mac.update(part);",
    put: "for (const part of content) { let text = part; try { text = JSON.stringify(JSON.parse(Buffer.from(part as Uint8Array).toString())); } catch {} mac.update(text); }",
    noticedBy: { tests: ["core/hmac", "testing/providers"] },
  },
  {
    name: "compares only the beginning of a secret",
    file: `${core}/verify/compare.ts`,
    find: "if (timingSafeEqual(own, digestOf(secret))) match = secret;",
    put: "if (secret.value.startsWith(given)) match = secret;",
    noticedBy: { tests: ["core/receive", "testing/providers"] },
  },
  {
    name: "compares secrets byte by byte",
    file: `${core}/verify/compare.ts`,
    find: "if (timingSafeEqual(own, digestOf(secret))) match = secret;",
    put: "if (given === secret.value) match = secret;",
    noticedBy: { trial: "X1" },
  },
  {
    name: "looks at what is nested however deep",
    file: `${core}/observe/view.ts`,
    find: "if (path.length > depthMax)",
    put: "if (path.length > Infinity)",
    noticedBy: { tests: ["dashboard/dashboard", "core/logs"] },
  },
  {
    name: "forgets what runs, with what is over",
    file: `${core}/stores/sqlite/prune.ts`,
    find: "const isOver = `state IN (${prunable.map((state) => `'${state}'`).join(\", \")})`;",
    put: 'const isOver = `state IN (${[...prunable, "running"].map((state) => `\'${state}\'`).join(", ")})`;',
    noticedBy: { tests: ["testing/stores"] },
  },
  {
    name: "erases in the store, and leaves the spill",
    file: `${core}/inbox/steering.ts`,
    find: "const spilled = await custody.erase(erased, { by, reason, dryRun });",
    put: "const spilled = 0;",
    noticedBy: { tests: ["core/spill-edges"], only: "erased" },
  },
];
