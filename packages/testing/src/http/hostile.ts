/**
 * Rows: what senders who mean harm, or know no better, put on the wire. Each says what it is answered, and what is kept of it;
 * whatever it is, nothing of it stands in a log, and a good delivery is taken after it.
 */

import { strict as assert } from "node:assert";
import { raw } from "./exchange.ts";
import { contents, lookalikes, media } from "./hostile-contents.ts";
import { credentials, stamped } from "./hostile-credentials.ts";
import { framings, type Framed } from "./hostile-framing.ts";
import { expectAnswer, job, jobs, json, radio, type Place, type Rows } from "./row.ts";
import { token } from "./site.ts";

/** Part of everything hostile, so that it is found where it must not be. */
const canary = "c4nary";

/** Queries of an authentic GET: each is answered 200 and kept. */
const queries: Readonly<Record<string, string>> = {
  "escapes that are none": "a=%zz&b=%&c=%c3",
  "an escaped NUL": "a=%00",
  "the same name twice": "a=1&a=2",
  "marks and empty pairs": "?a=b=c&&=d&e",
  "names of prototypes": "__proto__[x]=1&constructor=y&a[__proto__][b]=1",
  "a name nested a thousand deep": `a${"[b]".repeat(1000)}=1`,
  "pairs that stand for spaces": "a+b=c%20d&a%20b=c+d",
  "a long name": `${"k".repeat(5000)}=1`,
  "a long value": `a=${"v".repeat(10_000)}`,
  "two thousand pairs": Array.from({ length: 2000 }, (_, n) => `k${n}`).join("&"),
};

/** A call of Audata's by GET, with something more in its query. */
const callWith = (query: string, index = 0): string =>
  `${radio}?event=Prize.created&webhookCallId=${index}&note=${canary}&${query}`;

async function framedAnswer(port: number, framed: Framed): Promise<string> {
  const { lines, path = jobs, body = "", isEnded = false } = framed;
  const head =
    "head" in lines
      ? lines.head
      : [`POST ${path} HTTP/1.1`, "Host: x", "Connection: close", ...lines].join("\r\n");
  return await raw(port, `${head}\r\nX-Note: ${canary}\r\n\r\n${body}`, { isEnded });
}

/** Nothing of a sender's is in a log, no prototype was touched, and a good delivery is taken. */
async function isUnharmed(place: Place, kept: number): Promise<void> {
  assert.equal((await place.kept()).length, kept);
  expectAnswer(await place.send({ path: jobs, body: job(99), headers: [json] }), 200);
  assert.equal((await place.kept()).length, kept + 1);
  assert.equal(({} as { readonly x?: unknown }).x, undefined);
  for (const [, line] of place.lines) {
    assert.doesNotMatch(
      line,
      new RegExp(`${canary}|${token}|hush|s3cret|Set-Cookie|DROP TABLE|<script>`),
    );
  }
}

/** Answered 200, and kept to the byte. */
async function isTaken(
  place: Place,
  body: string | Uint8Array,
  headers: readonly (readonly [string, string])[],
): Promise<void> {
  const path = `/webhooks/large/${token}`;
  expectAnswer(await place.send({ path, body, headers: [...headers, ["x-note", canary]] }), 200);
  await place.inbox.idle();
  // What is large is kept before it is known which events are in it: then both stand there.
  const kept = await place.kept();
  assert.ok(kept.length === 1 || (kept.length === 2 && body.length > 100_000));
  for (const { delivery } of kept) {
    assert.equal(Buffer.compare(Buffer.from(delivery?.body ?? []), Buffer.from(body)), 0);
  }
  await isUnharmed(place, kept.length);
}

const rowsOf = <T>(
  kind: string,
  data: Readonly<Record<string, T>>,
  row: (place: Place, one: T) => Promise<void>,
): Rows =>
  Object.fromEntries(
    Object.entries(data).map(([what, one]) => [
      `${kind}: ${what}`,
      (place: Place) => row(place, one),
    ]),
  );

export const hostileRows: Rows = {
  ...rowsOf("framing", framings, async (place, framed) => {
    const seen = await framedAnswer(place.port, framed);
    const status = /^HTTP\/1\.[01] (\d+) /.exec(seen)?.[1] ?? "closed";
    assert.ok(framed.answers.map(String).includes(status), `answered ${status}`);
    assert.doesNotMatch(seen, new RegExp(`${canary}|<script>`));
    await isUnharmed(place, status === "200" ? 1 : 0);
  }),

  ...rowsOf("content", contents, (place, body) => isTaken(place, body, [json])),

  ...rowsOf("medium", media, async (place, { type = "application/json", coding, body }) => {
    const codings = coding === undefined ? [] : [["content-encoding", coding] as const];
    await isTaken(place, body, [["content-type", type], ...codings]);
  }),

  ...rowsOf("alike", lookalikes, async (place, ids) => {
    const bodies = ids.map((id) => job(id));
    for (const body of bodies) {
      expectAnswer(await place.send({ path: jobs, body, headers: [json] }), 200);
    }
    await place.inbox.idle();
    const kept = (await place.kept()).map(({ delivery }) => Buffer.from(delivery?.body ?? []));
    assert.deepEqual(new Set(kept.map(String)), new Set(bodies));
    await isUnharmed(place, bodies.length);
  }),

  ...rowsOf("credential", credentials, async (place, claimed) => {
    const { path, body, headers, status } = claimed();
    const note = `${path.includes("?") ? "&" : "?"}note=${canary}`;
    const content = body === undefined ? {} : { body };
    const answer = await place.send({ path: path + note, ...content, headers: [...headers, json] });
    expectAnswer(answer, status, status === 401 ? { "www-authenticate": "Bearer" } : {});
    await isUnharmed(place, status === 200 ? 1 : 0);
  }),

  ...rowsOf("query", queries, async (place, query) => {
    expectAnswer(await place.send({ path: callWith(query) }), 200);
    await place.inbox.idle();
    await isUnharmed(place, 1);
  }),

  "queries are kept exactly as they came, whatever they hold": async (place) => {
    const paths = Object.values(queries).map(callWith);
    for (const path of paths) expectAnswer(await place.send({ path }), 200);
    await place.inbox.idle();
    const targets = (await place.kept()).map(({ delivery }) => delivery?.target);
    assert.deepEqual(new Set(targets), new Set(paths.map((path) => path.replace(token, "***"))));
  },

  "a GET again, as browsers and caches ask for what they have seen, is one event, answered in full":
    async (place) => {
      const path = callWith("a=1");
      const asked = [
        ["If-None-Match", "*"],
        ["If-Modified-Since", new Date(Date.now() + 60_000).toUTCString()],
        ["Range", "bytes=0-0"],
        ["Cache-Control", "only-if-cached"],
      ] as const;
      expectAnswer(await place.send({ path }), 200);
      for (const header of asked) expectAnswer(await place.send({ path, headers: [header] }), 200);
      assert.equal((await place.kept())[0]?.event.duplicates, asked.length);
      await isUnharmed(place, 1);
    },

  "a delivery played again within its time, a hundred times at once, is one event": async (
    place,
  ) => {
    const { path, body = "", headers } = stamped();
    const again = Array.from({ length: 100 }, () => place.send({ path, body, headers }));
    for (const answer of await Promise.all(again)) expectAnswer(answer, 200);
    assert.equal((await place.kept())[0]?.event.duplicates, 99);
    await isUnharmed(place, 1);
  },

  "the same id at two sources is two events": async (place) => {
    for (const path of [jobs, `/webhooks/large/${token}`]) {
      expectAnswer(await place.send({ path, body: job(7), headers: [json] }), 200);
    }
    await isUnharmed(place, 2);
  },

  "what follows a good delivery on its connection, and is none, takes nothing from it": async (
    place,
  ) => {
    const good = `POST ${jobs} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(job(7))}\r\n\r\n${job(7)}`;
    const seen = await raw(place.port, `${good}garbage\r\n\r\n`);
    assert.match(seen, /^HTTP\/1\.1 (?:200|400) /);
    await isUnharmed(place, 1);
  },

  "who waits for 100 Continue with a wrong credential is refused, and nothing is kept": async (
    place,
  ) => {
    const head = `POST /webhooks/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${canary}\r\nX-Team: blue`;
    const rest = `Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
    const seen = await raw(place.port, `${head}\r\n${rest}`);
    assert.match(seen, /HTTP\/1\.1 401 /);
    await isUnharmed(place, 0);
  },
};
