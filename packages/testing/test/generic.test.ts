/** A source for whatever sends HTTP: where types and ids stand, and every way to sign it. */

import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { hmac, publicKey, type Source } from "@webhook-inbox/core";
import { generic } from "@webhook-inbox/core/providers/generic";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { signedDesk, url, type Loose } from "../../../tests/support/signed-desk.ts";

async function handled(source: Source, ...deliveries: readonly Loose[]) {
  const desk = await signedDesk(source);
  const statuses: number[] = [];
  for (const delivery of deliveries) statuses.push((await desk.deliver(delivery)).status);
  return {
    ...desk,
    statuses,
    events: desk.handled.map(({ type, id, data }) => ({ type, id, data })),
  };
}
const form = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };

describe("what automation tools send", () => {
  test("Zapier: JSON with a bearer, a path to the type and one to the id", async () => {
    const source = generic({ bearer: "b", type: "lead.kind", id: "lead.id" });
    const headers = { authorization: "Bearer b" };
    const body = '{"lead":{"id":7,"kind":"hot","name":"N"}}';
    const { events, statuses } = await handled(
      source,
      { body, headers },
      { body, headers },
      { body },
    );
    expect(statuses).toEqual([200, 200, 401]);
    expect(events).toEqual([
      { type: "hot", id: "7", data: { lead: { id: 7, kind: "hot", name: "N" } } },
    ]);
  });

  test("a form with more fields than are read is kept whole, and handled by nobody", async () => {
    const body = Array.from({ length: 10_001 }, (_, n) => `f${n}=1`).join("&");
    const desk = await handled(generic({ token: "t0ken" }), {
      url: `${url}/t0ken`,
      body,
      headers: form,
    });
    expect([desk.statuses, desk.events]).toEqual([[200], []]);
    const [event] = (await desk.inbox.list()).events;
    expect(event).toMatchObject({ state: "quarantined", reason: "unparsable" });
  });

  test.each([
    ["format", { format: "json" }],
    ["methods", { methods: "POST" }],
    ["methods", { methods: ["PUT"] }],
    ["redelivers", { redelivers: "always" }],
  ])("%s that cannot be stops the start: %j", (name, options) => {
    expect(() => generic({ token: "t", ...options } as never)).toThrow(`generic: ${name} must be`);
  });

  test("Make: a form, or a GET with a token in the query", async () => {
    const source = generic({ token: "t0ken", methods: ["GET", "POST"], id: { query: "run" } });
    const { events, statuses } = await handled(
      source,
      { method: "GET", url: `${url}?token=t0ken&run=1&type=a&person[name]=N%20N` },
      { url: `${url}/t0ken?run=2`, body: "event=b&list[]=1&list[]=2", headers: form },
      { method: "GET", url: `${url}?token=other&run=3` },
    );
    expect(statuses).toEqual([200, 200, 401]);
    expect(events).toEqual([
      { type: "a", id: "1", data: { run: "1", type: "a", person: { name: "N N" } } },
      { type: "b", id: "2", data: { event: "b", list: ["1", "2"] } },
    ]);
  });

  test("n8n: basic credentials, a header for the id, a function for the type; or a header of its own", async () => {
    const source = generic({
      basic: { user: "n8n", password: ["new", "old"] },
      id: { header: "X-Execution-Id" },
      type: ({ items }) => (Array.isArray(items) ? "list" : undefined),
    });
    const basic = (password: string) => ({ authorization: `Basic ${btoa(`n8n:${password}`)}` });
    const { events, statuses } = await handled(
      source,
      { body: '{"items":[]}', headers: { ...basic("old"), "x-execution-id": "1" } },
      { body: "{}", headers: { ...basic("new"), "x-execution-id": "2" } },
      { body: "{}", headers: { ...basic("wrong"), "x-execution-id": "3" } },
      { body: "{}", headers: { authorization: `Basic ${btoa("other:new")}` } },
    );
    expect(statuses).toEqual([200, 200, 401, 401]);
    expect(events.map(({ type, id }) => [type, id])).toEqual([
      ["list", "1"],
      ["received", "2"],
    ]);
  });

  test("texts of any kind, and answers of one's own", async () => {
    const source = generic({
      auth: "none",
      format: "text",
      accepted: { status: 204, body: "" },
    });
    const { events, statuses } = await handled(
      source,
      { body: "<xml/>" },
      { body: Buffer.from([255]) },
    );
    expect(statuses).toEqual([204, 400]);
    expect(events).toMatchObject([{ type: "received", data: { text: "<xml/>" } }]);
  });

  test("types have the types of their schemas", () => {
    const source = generic({ token: "t", events: { lead: z.object({ name: z.string() }) } });
    expectTypeOf(source).toEqualTypeOf<Source<{ lead: { name: string } }>>();
  });

  test("what has no id is one event within ten minutes; what is a list or a text is kept", async () => {
    const headers = { authorization: "Bearer b" };
    const { events, states } = await handled(
      generic({ bearer: "b" }),
      { body: '{"a":1}', headers },
      { body: '{"a":1}', headers },
      { body: "[1]", headers },
      { body: "a=1", headers },
      { body: "%7B", headers: { ...headers, ...form } },
    );
    expect(events).toHaveLength(2);
    expect(new Set(await states())).toEqual(
      new Set(["done", "quarantined unidentified", "quarantined unparsable"]),
    );
  });
});

describe("every way to sign", () => {
  const body = '{"n":1,"text":"é"}';
  const secret = "c2VjcmV0IG9mIHNvbWUgbGVuZ3Ro";
  for (const algorithm of ["sha1", "sha256", "sha512"] as const) {
    for (const encoding of ["hex", "base64"] as const) {
      for (const key of ["text", "base64"] as const) {
        for (const prefix of ["", "v1="]) {
          test(`${algorithm}, ${encoding}, key as ${key}, prefix "${prefix}"`, async () => {
            const header = "x-mac";
            const source = generic({
              secret,
              signature: hmac({ algorithm, encoding, key, prefix, header }),
            });
            const bytes = Buffer.from(secret, key === "text" ? "utf8" : "base64");
            const mac = createHmac(algorithm, bytes).update(body).digest(encoding);
            const { statuses } = await handled(
              source,
              { body, headers: { [header]: prefix + mac } },
              { body: `${body} `, headers: { [header]: prefix + mac } },
              { body, headers: { [header]: `v0=${mac}` } },
            );
            expect(statuses).toEqual([200, 401, 401]);
          });
        }
      }
    }
  }

  test("a GET by its raw query, and a body by its URL", async () => {
    const mac = (text: string) => createHmac("sha256", secret).update(text).digest("hex");
    const byQuery = generic({
      secret,
      methods: ["GET"],
      signature: hmac({
        algorithm: "sha256",
        encoding: "hex",
        header: "x-mac",
        content: ({ query }) => [query],
      }),
    });
    const query = "b=2&a=1&c=%2F+";
    const get = (text: string, given = mac(query)) =>
      ({ method: "GET", url: `${url}?${text}`, headers: { "x-mac": given } }) as const;
    expect(
      (await handled(byQuery, get(query), get("a=1&b=2&c=%2F+"), get(`${query}&d=1`))).statuses,
    ).toEqual([200, 401, 401]);
    const byUrl = generic({
      secret,
      signature: hmac({
        algorithm: "sha256",
        encoding: "hex",
        header: "x-mac",
        signsUrl: true,
        content: ({ url: at, body: bytes }) => [at, "\n", bytes],
      }),
    });
    const headers = { "x-mac": mac(`${url}?x=%41\n${body}`) };
    const { statuses } = await handled(
      byUrl,
      { url: `${url}?x=%41`, body, headers },
      { url: `${url}?x=A`, body, headers },
    );
    expect(statuses).toEqual([200, 401]);
  });

  test.each([
    ["ed25519", "ed25519", "pem"],
    ["ed25519", "ed25519", "der"],
    ["rsa-sha256", "rsa", "pem"],
    ["rsa-sha256", "rsa", "der"],
    ["ecdsa-sha256", "ec", "pem"],
  ] as const)("%s with the public key of %s as %s", async (algorithm, kind, format) => {
    const pair = () =>
      kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : kind === "ec"
          ? generateKeyPairSync("ec", { namedCurve: "P-256" })
          : generateKeyPairSync("ed25519");
    const { publicKey: own, privateKey } = pair();
    const text =
      format === "pem"
        ? own.export({ type: "spki", format: "pem" }).toString()
        : own.export({ type: "spki", format: "der" }).toString("base64");
    const source = generic({
      publicKey: text,
      signature: publicKey({ algorithm, key: "spki", encoding: "base64", header: "x-signature" }),
    });
    const digest = algorithm === "ed25519" ? undefined : "sha256";
    const signature = signWith(digest, Buffer.from(body), privateKey).toString("base64");
    const other = signWith(digest, Buffer.from(body), pair().privateKey).toString("base64");
    const { statuses } = await handled(
      source,
      { body, headers: { "x-signature": signature } },
      { body: `${body} `, headers: { "x-signature": signature } },
      { body, headers: { "x-signature": other } },
      { body, headers: { "x-signature": "AA==" } },
    );
    expect(statuses).toEqual([200, 401, 401, 401]);
  });
});

test("a key without a way to sign is refused, with what to write", () => {
  expect(() => generic({ secret: "s" })).toThrow(/a secret needs a signature .* signature: hmac/);
});
