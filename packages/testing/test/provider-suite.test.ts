/** The suite for providers catches what it is there for: each of these providers is broken in one way. */

import { createHmac } from "node:crypto";
import { defineProvider, eventsIn, hmac, type Hmac, type Provider } from "@webhook-inbox/core";
import { providerSuite, type ProviderSuiteOptions } from "@webhook-inbox/testing/provider";
import { describe, expect, test } from "vitest";
import * as z from "zod";

const signing: Hmac = {
  algorithm: "sha256",
  encoding: "hex",
  header: "x-acme-digest",
  prefix: "v1=",
  reads: ["x-acme-time"],
  timestamp: { of: ({ header }) => header("x-acme-time"), unit: "s", toleranceMs: 300_000 },
  content: ({ header, body }) => [`${header("x-acme-time")}.`, body],
};

function acme(signature: Partial<Hmac>, more: Partial<Provider>) {
  return defineProvider({
    name: "acme",
    auth: ["secret"],
    signature: hmac({ ...signing, ...signature }),
    methods: ["POST"],
    habits: { redelivers: "automatic", bodyStable: true },
    events: { a: z.looseObject({ id: z.string() }), b: z.looseObject({ id: z.string() }) },
    personal: ["email"],
    ...eventsIn({ type: ({ type }) => type, id: ({ id }) => id }),
    ...more,
  } as Provider<{}> & { readonly auth: readonly ["secret"] });
}

/** Names of the tests that fail for a provider. */
async function failures(
  signature: Partial<Hmac>,
  more: Partial<Provider> = {},
  options: Partial<ProviderSuiteOptions> = {},
): Promise<readonly string[]> {
  const tests: [string, () => Promise<void>][] = [];
  const provider = acme(signature, more);
  providerSuite({
    test: (name, body) => void tests.push([name, body]),
    secrets: ["the first secret of acme", "the second secret of acme"],
    source: (secret, dedup) => provider({ secret, dedup }),
    sign({ url, body, secret, at }) {
      const time = String(Math.floor(at / 1000));
      const mac = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
      const headers = { "X-Acme-Time": time, "X-Acme-Digest": `v1=${mac}` };
      return { method: "POST", url, headers, body };
    },
    toleranceMs: 300_000,
    examples: [
      {
        body: '{"type":"a","id":"1","email":"jane@example.com"}',
        types: ["a"],
        data: [{ type: "a", id: "1", email: "jane@example.com" }],
        personal: ["jane@example.com"],
      },
      { body: '{"type":"b","id":"2"}', types: ["b"], data: [{ type: "b", id: "2" }] },
    ],
    ...options,
  });
  const failed: string[] = [];
  for (const [name, body] of tests) await body().catch(() => failed.push(name));
  return failed;
}

test("a sound provider passes", async () => {
  expect(await failures({})).toEqual([]);
});

const { identify, parse } = eventsIn({ type: ({ type }) => type, id: ({ id }) => id });
const named = (
  id: (delivery: Parameters<Provider["identify"]>[0]) => string,
): Partial<Provider> => ({
  identify: (delivery) => {
    const found = identify(delivery);
    if (found.kind !== "events") return found;
    return {
      kind: "events",
      events: found.events.map((event) => ({ ...event, id: id(delivery) })),
    };
  },
});
const timeless: Partial<Hmac> = { content: ({ body }) => [body] };

const broken: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  "checks no time": () =>
    failures({ timestamp: { of: () => "1750000000", unit: "s", toleranceMs: Infinity } }),
  "checks the past alone": () =>
    failures({
      timestamp: {
        of: ({ header }) => String(Math.min(Number(header("x-acme-time")), 1_750_000_000)),
        unit: "s",
      },
    }),
  "has a tolerance of its own": () =>
    failures({
      timestamp: { of: ({ header }) => header("x-acme-time"), unit: "s", toleranceMs: 900_000 },
    }),
  "checks a time that is not signed": () =>
    failures(
      timeless,
      {},
      {
        sign({ url, body, secret, at }) {
          const mac = createHmac("sha256", secret).update(body).digest("hex");
          const time = String(Math.floor(at / 1000));
          return {
            method: "POST",
            url,
            headers: { "X-Acme-Time": time, "X-Acme-Digest": `v1=${mac}` },
            body,
          };
        },
      },
    ),
  "covers half of the body": () =>
    failures(
      { content: ({ header, body }) => [`${header("x-acme-time")}.`, body.subarray(0, 20)] },
      {},
      {
        sign({ url, body, secret, at }) {
          const time = String(Math.floor(at / 1000));
          const mac = createHmac("sha256", secret)
            .update(`${time}.${body.slice(0, 20)}`)
            .digest("hex");
          return {
            method: "POST",
            url,
            headers: { "X-Acme-Time": time, "X-Acme-Digest": `v1=${mac}` },
            body,
          };
        },
      },
    ),
  "compares the beginning of a signature": () =>
    failures(
      {},
      {
        signature: {
          ...hmac(signing),
          judge: (parts, secrets) => {
            const mac = (secret: string) =>
              createHmac("sha256", secret)
                .update(`${parts.header("x-acme-time")}.`)
                .update(parts.body)
                .digest("hex");
            const match = secrets.find(
              ({ value }) => parts.header("x-acme-digest").slice(3, 11) === mac(value).slice(0, 8),
            );
            return match === undefined
              ? { ok: false, diagnosis: { code: "mismatch", credential: "signature" } }
              : { ok: true, secret: match.name };
          },
        },
      },
    ),
  "takes a delivery without a signature": () =>
    failures(
      {},
      {
        signature: {
          ...hmac(signing),
          judge: (parts, secrets, judging) =>
            parts.header("x-acme-digest") === ""
              ? { ok: true, secret: "secret#1" }
              : hmac(signing).judge(parts, secrets, judging),
        },
      },
    ),
  "takes what begins with the prefix": () =>
    failures(
      {},
      {
        signature: {
          ...hmac(signing),
          judge: (parts) =>
            parts.header("x-acme-digest").startsWith("v1=")
              ? { ok: true, secret: "secret#1" }
              : { ok: false, diagnosis: { code: "mismatch", credential: "signature" } },
        },
      },
    ),
  "takes everything while two secrets are set": () =>
    failures(
      {},
      {
        signature: {
          ...hmac(signing),
          judge: (parts, secrets, judging) =>
            secrets.length > 1 && parts.header("x-acme-digest") !== ""
              ? { ok: true, secret: "secret#2" }
              : hmac(signing).judge(parts, secrets, judging),
        },
      },
    ),
  "tries the first secret alone": () =>
    failures(
      {},
      {
        signature: {
          ...hmac(signing),
          judge: (parts, secrets, judging) =>
            hmac(signing).judge(parts, secrets.slice(0, 1), judging),
        },
      },
    ),
  "has one id for everything": () =>
    failures(
      {},
      named(() => "1"),
    ),
  "has the time of receipt for an id": () =>
    failures(
      {},
      named(({ receivedAt }) => String(receivedAt)),
    ),
  "has the signed time for an id": () =>
    failures(
      {},
      named(
        ({ headers }) =>
          headers[headers.findIndex((name) => name.toLowerCase() === "x-acme-time") + 1] ?? "",
      ),
    ),
  "has an id at random": () =>
    failures(
      {},
      named(() => String(Math.random())),
    ),
  "has an id from a header that nothing signs": () =>
    failures(
      {},
      named(
        ({ headers }) =>
          headers[headers.findIndex((name) => name.toLowerCase() === "x-acme-id") + 1] ?? "",
      ),
      {
        sign({ url, body, secret, at }) {
          const time = String(Math.floor(at / 1000));
          const mac = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
          const headers = {
            "X-Acme-Time": time,
            "X-Acme-Digest": `v1=${mac}`,
            "X-Acme-Id": body.slice(18, 19),
          };
          return { method: "POST", url, headers, body };
        },
      },
    ),
  "forgets what it cannot read": () =>
    failures(
      {},
      {
        identify: (delivery) => {
          const found = identify(delivery);
          return found.kind === "unreadable" ? { kind: "nothing" } : found;
        },
      },
    ),
  "takes what it cannot read for a handshake": () =>
    failures(
      {},
      {
        handshake: (delivery) =>
          identify(delivery).kind === "unreadable" ? { body: "" } : undefined,
      },
    ),
  "parses something else": () =>
    failures(
      {},
      { parse: (delivery, identity) => ({ ...(parse(delivery, identity) as object), more: 1 }) },
    ),
  "answers something else": () => failures({}, { accepted: { status: 204, body: "" } }),
  "calls every type by one name": () =>
    failures({}, eventsIn({ type: () => "a", id: ({ id }) => id })),
  "shows people to everybody": () => failures({}, { personal: [] }),
};

describe("a provider that", () => {
  test.each(Object.entries(broken))(
    "%s is caught",
    async (_, run) => {
      expect(await run()).not.toEqual([]);
    },
    30_000,
  );
});
