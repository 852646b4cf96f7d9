/** Authentic deliveries of any content: each is answered 200, kept as it came, and harms nothing. More rounds by `FUZZ_ROUNDS`. */

import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import {
  audataExample,
  audataQueries,
  captainDataExamples,
  socialDataExample,
} from "@webhook-inbox/testing/senders";
import { expect, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { randomOf, type Random } from "../src/store/random.ts";

const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 400);
const seed = Math.floor(Math.random() * 2 ** 31);

/** One a line. */
const pieces = [
  '"\n\\\n{\n}\n[\n]\n,\n:\nnull\n1e999\n-0\n\\u0000\n\\ud800\né😀\n__proto__\nconstructor\n"id":\n"event":'.split(
    "\n",
  ),
  ["\u0000", "9".repeat(400), "[".repeat(300)],
].flat();

/** JSON that has been through something. */
function mutatedJson(text: string, random: Random): Uint8Array {
  let bytes: Buffer = Buffer.from(text);
  for (let changes = random.below(4); changes >= 0; changes--) {
    const at = random.below(bytes.length + 1);
    const cut = random.below(6);
    const put = random.chance(0.6)
      ? Buffer.from(random.pick(pieces))
      : Buffer.from([random.below(256)]);
    bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
  }
  return bytes;
}

const queryPieces = [
  "&",
  "=",
  "%",
  "%zz",
  "%00",
  "%c3",
  "+",
  "[",
  "]",
  "[a]",
  "[]",
  "?",
  ";",
  "__proto__",
  "%5B",
  "e=1",
];

function mutatedQuery(text: string, random: Random): string {
  let query = text;
  for (let changes = random.below(5); changes >= 0; changes--) {
    const at = random.below(query.length + 1);
    query = query.slice(0, at) + random.pick(queryPieces) + query.slice(at + random.below(4));
  }
  return query;
}

/** What a header may hold. */
const headerLetters = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n));

function anyHeaders(random: Random): Record<string, string> {
  const names = [
    "content-type",
    "content-language",
    "x-request-id",
    "traceparent",
    "cookie",
    "accept",
  ];
  const value = (): string =>
    Array.from({ length: random.below(60) }, () => random.pick(headerLetters))
      .join("")
      .trim();
  return Object.fromEntries(names.filter(() => random.chance(0.5)).map((name) => [name, value()]));
}

async function desk() {
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      socialdata: socialData({ token: "t" }),
      audata: audata({ token: "t" }),
      "captain-data": captainData({ bearer: "t" }),
      any: generic({
        token: "t",
        id: "id",
        type: { header: "x-request-id" },
        methods: ["POST", "GET"],
      }),
    },
    work: false,
    logger: false,
  });
  return { inbox, served: await serve(inbox) };
}

/** The deliveries that are kept, as texts of their bytes or targets. */
async function keptOf({ inbox }: Awaited<ReturnType<typeof desk>>, of: "body" | "target") {
  const kept = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await inbox.list({ cursor });
    for (const { key } of page.events) {
      const delivery = (await inbox.get(key))?.delivery;
      kept.add(
        of === "body"
          ? Buffer.from(delivery?.body ?? []).toString("hex")
          : (delivery?.target ?? ""),
      );
    }
    ({ cursor } = page);
  } while (cursor !== undefined);
  return kept;
}

const posts = {
  "socialdata/t": socialDataExample,
  "audata/t": audataExample,
  "captain-data": Object.values(captainDataExamples)[0],
  "any/t": '{"id":"1","type":"order.created","data":{"nested":[1,2,{"a":null}]}}',
};

for (const [path, example] of Object.entries(posts)) {
  test(`fuzz: ${rounds} bodies and headers, ${path}`, { timeout: 600_000 }, async () => {
    const random = randomOf(seed);
    const place = await desk();
    const sent = new Set<string>();
    const text = typeof example === "string" ? example : JSON.stringify(example);
    for (let round = 0; round < rounds; round++) {
      const body = mutatedJson(text, random);
      const headers = { ...anyHeaders(random), authorization: "Bearer t" };
      const { status } = await ask(place.served, `/webhooks/${path}`, { body, headers });
      expect(status, `seed ${seed}, round ${round}`).toBe(200);
      sent.add(Buffer.from(body).toString("hex"));
    }
    // Under one id the first content is the event, the second one its conflict; what comes after them is counted.
    const kept = await keptOf(place, "body");
    expect([...kept].filter((body) => !sent.has(body))).toEqual([]);
    expect(kept.size).toBeGreaterThan(rounds / 4);
    expect(({} as { readonly polluted?: unknown }).polluted).toBeUndefined();
  });
}

for (const [name, query] of Object.entries(audataQueries)) {
  test(`fuzz: ${rounds} queries as ${name} writes them`, { timeout: 600_000 }, async () => {
    const random = randomOf(seed);
    const place = await desk();
    const sent = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const target = `/webhooks/audata/t?event=x&webhookCallId=${round}&${mutatedQuery(query, random)}`;
      const { status } = await ask(place.served, target, { headers: anyHeaders(random) });
      expect(status, `seed ${seed}, round ${round}: ${target}`).toBe(200);
      sent.add(target.replace("/t?", "/***?"));
    }
    const kept = await keptOf(place, "target");
    expect([...kept].filter((target) => !sent.has(target))).toEqual([]);
    expect(kept.size).toBeGreaterThan(rounds / 4);
  });
}
