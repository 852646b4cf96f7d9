/** What trips receivers of the first three providers: each trap once, over real HTTP. Those of encodings are in providers.test.ts. */

import type { Source, WebhookEvent } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import {
  audataExample,
  audataExampleAsPrinted,
  audataQueries,
  captainDataExamples,
  socialDataExample,
} from "@webhook-inbox/testing/senders";
import { sign } from "@webhook-inbox/testing/sign";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { signedDesk, url, type Loose } from "../../../tests/support/signed-desk.ts";

const now = 1_750_000_000_000;
const tokenUrl = `${url}/t`;

async function taken(source: Source, ...deliveries: readonly Loose[]) {
  const desk = await signedDesk(source, { now });
  const answers = [];
  for (const delivery of deliveries)
    answers.push(await desk.deliver({ url: tokenUrl, ...delivery }));
  return {
    ...desk,
    statuses: answers.map(({ status }) => status),
    bodies: answers.map(({ body }) => body),
    states: await desk.states(),
  };
}
const brief = ({ type, id }: WebhookEvent) => [type, id];

describe("SocialData", () => {
  const job = (data: string) => ({ body: `{"event":"job_finished","data":${data}}` });

  test("success, error, error without a message, pending, an id as text and one beyond 2^53, extra keys", async () => {
    const { statuses, handled, states } = await taken(
      socialData({ token: "t" }),
      { body: socialDataExample },
      job('{"job_id":1,"status":"error","message":"Insufficient balance"}'),
      job('{"job_id":2,"status":"error"}'),
      job('{"job_id":3,"status":"pending"}'),
      job('{"job_id":"4","status":"error"}'),
      job('{"job_id":1493446837214187523,"status":"error"}'),
      job('{"job_id":5,"status":"error","extra":{"a":1}}'),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(new Set(states)).toEqual(new Set(["done"]));
    expect(handled.map(({ id }) => id)).toEqual([
      "job:42:success",
      "job:1:error",
      "job:2:error",
      "job:3:pending",
      "job:4:error",
      "job:1493446837214187523:error",
      "job:5:error",
    ]);
    expect(handled[1]?.data).not.toHaveProperty("result");
    expect(handled[6]?.data).toMatchObject({ extra: { a: 1 } });
  });

  test("exactly 200 for duplicates, unknown events and what cannot be read; 405 for another method", async () => {
    const { statuses, bodies } = await taken(
      socialData({ token: "t" }),
      { body: socialDataExample },
      { body: socialDataExample },
      { body: '{"event":"job_started","data":{}}' },
      { body: "no json" },
      { method: "GET" },
      { method: "PUT" as "POST", body: "{}" },
    );
    expect(statuses).toEqual([200, 200, 200, 200, 405, 405]);
    expect(bodies.slice(0, 4)).toEqual(["ok", "ok", "ok", "ok"]);
  });

  test("monitor events come to the same URL: new_tweet, new_following, profile_update", async () => {
    const meta =
      '"meta":{"monitor_id":"01hx1r99s0nsqq1ffdhmyyqbfr","monitor_type":"user_tweets","monitored_id_str":"44196397"}';
    const following =
      '{"id":44196397,"id_str":"44196397","name":"N","url":null,"created_at":"2011-05-08T16:03:03.000000Z"}';
    const { handled, states } = await taken(
      socialData({ token: "t" }),
      {
        body: `{"event":"new_tweet","data":{"id":1493446837214187523,"id_str":"1493446837214187523","full_text":"t","tweet_created_at":"2025-06-15T14:00:00.000000Z"},${meta}}`,
      },
      { body: `{"event":"new_following","data":${following},${meta}}` },
      { body: `{"event":"profile_update","data":${following},${meta}}` },
      { body: `{"event":"profile_update","data":${following},${meta}}` },
      { body: `{"event":"profile_update","data":${following.replace("N", "M")},${meta}}` },
    );
    expect(new Set(states)).toEqual(new Set(["done"]));
    expect(handled.map(({ type }) => type)).toEqual([
      "new_tweet",
      "new_following",
      "profile_update",
      "profile_update",
    ]);
    expect(handled[0]?.id).toBe("new_tweet:01hx1r99s0nsqq1ffdhmyyqbfr:1493446837214187523");
    expect(handled[0]?.occurredAt).toBe(Date.parse("2025-06-15T14:00:00Z"));
    expect(handled[2]?.id).toMatch(/^sha256:/);
  });

  describe("signed", () => {
    const both = socialData({ token: "t", secret: "s3cret-of-account" });
    const signed = (secret = "s3cret-of-account", at = now) =>
      sign.socialData({ url: tokenUrl, body: socialDataExample, secret, at });

    test("is checked where there is a signature: v1=, stale, missing parts", async () => {
      const genuine = signed();
      const without = (name: string) => {
        const { [name]: gone, ...headers } = genuine.headers;
        expect(gone).toBeDefined();
        return { ...genuine, headers };
      };
      const { "x-signature": signature = "", ...rest } = genuine.headers;
      const { statuses, diagnoses } = await taken(
        both,
        genuine,
        { ...genuine, headers: { ...rest, "x-signature": signature.replace("v1=", "") } },
        { ...genuine, headers: { ...rest, "x-signature": signature.replace("v1=", "sha256=") } },
        without("x-timestamp"),
        without("x-event-id"),
        signed("other"),
        signed(undefined, now - 301_000),
        signed(undefined, now + 301_000),
      );
      expect(statuses).toEqual([200, 401, 401, 401, 401, 401, 401, 401]);
      expect(diagnoses().map(({ code }) => code)).toEqual([
        "malformed",
        "malformed",
        "mismatch",
        "mismatch",
        "mismatch",
        "stale",
        "stale",
      ]);
    });

    test("is not demanded unless `requireSignature` says so", async () => {
      const { statuses } = await taken(both, { body: socialDataExample });
      expect(statuses).toEqual([200]);
      const strict = socialData({
        token: "t",
        secret: "s3cret-of-account",
        requireSignature: true,
      });
      const demanded = await taken(strict, { body: socialDataExample }, signed());
      expect(demanded.statuses).toEqual([401, 200]);
    });

    test("with the literal NULL, as SocialData does while no secret is set, is refused and named", async () => {
      const { statuses, diagnoses } = await taken(both, signed("NULL"));
      expect(statuses).toEqual([401]);
      expect(diagnoses()).toMatchObject([{ detail: "no secret is set at the provider" }]);
    });

    test("without a secret here is left alone: nobody is called verified by a key that anybody knows", async () => {
      const { statuses, inbox } = await taken(socialData({ token: "t" }), signed("NULL"));
      expect(statuses).toEqual([200]);
      const { events } = await inbox.list();
      expect((await inbox.get(events[0]?.key ?? ""))?.delivery?.verifiedWith).toBe("token#1");
    });
  });
});

describe("Audata", () => {
  test("the printed example is quarantined and 200 when authentic, 400 without a credential, never rewritten", async () => {
    const { statuses, states, inbox } = await taken(audata({ token: "t" }), {
      body: audataExampleAsPrinted,
    });
    expect([statuses, states]).toEqual([[200], ["quarantined unparsable"]]);
    const { events } = await inbox.list();
    const kept = await inbox.get(events[0]?.key ?? "");
    expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(audataExampleAsPrinted);
    const open = await taken(audata({ auth: "none" }), { url, body: audataExampleAsPrinted });
    expect([open.statuses, open.states]).toEqual([[400], []]);
    expect((await taken(audata({ token: "t" }), { body: audataExample })).states).toEqual(["done"]);
  });

  test("HEAD, a bare GET and previews record nothing; a GET without the token does nothing", async () => {
    const query = audataQueries.axios;
    const { statuses, states } = await taken(
      audata({ token: "t" }),
      { method: "HEAD" as "GET" },
      { method: "GET" },
      { method: "GET", url: `${tokenUrl}?${query}`, headers: { "sec-purpose": "prefetch" } },
      { method: "GET", url: `${url}?${query}` },
      { method: "GET", url: `${url}/wrong?${query}` },
    );
    expect(statuses).toEqual([405, 200, 405, 401, 401]);
    expect(states).toEqual([]);
  });

  test("answers are never cached, so that a repeat reaches us", async () => {
    const { deliver } = await signedDesk(audata({ token: "t" }));
    const { headers } = await deliver({ method: "GET", url: `${tokenUrl}?${audataQueries.axios}` });
    expect(headers["cache-control"]).toBe("no-store");
  });
});

describe("Captain Data", () => {
  const bearer = { authorization: "Bearer t" };
  const source = captainData({ bearer: "t" });
  const send = (body: unknown, path = "", headers: Record<string, string> = {}): Loose => ({
    url: `${url}${path}`,
    headers: { ...bearer, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

  test("an error that is absent, null, text or a record; a type by URL, header, or words; a disagreement", async () => {
    const { error: gone, ...withoutError } = captainDataExamples.succeeded;
    expect(gone).toBeNull();
    const { handled, states } = await taken(
      source,
      send({ ...withoutError, job_uid: "1" }),
      send({ job_uid: "2", error: { error_label: "x", status_code: 401 } }),
      send({ job_uid: "3", message: "Job started." }),
      send({ job_uid: "4", message: "Hmm." }),
      send({ job_uid: "5" }, "/created"),
      send({ job_uid: "6" }, "", { "X-Webhook-Event": "Succeeded" }),
      send({ job_uid: "7", message: "Job failed." }, "/succeeded"),
      send({ run: { run_uid: "r", status: "RUNNING" } }),
    );
    expect(new Set(states)).toEqual(new Set(["done"]));
    expect(handled.map(brief).map(([type, id]) => `${type} ${(id ?? "").slice(0, 12)}`)).toEqual([
      "job.succeeded 1:succeeded",
      "job.failed 2:failed",
      "job.created 3:created",
      expect.stringMatching(/^job\.unknown sha256:/),
      "job.created 5:created",
      "job.succeeded 6:succeeded",
      "job.succeeded 7:succeeded",
      expect.stringMatching(/^job\.unknown sha256:/),
    ]);
    expect(handled[6]?.notes).toEqual(["type_disagreement"]);
  });

  test("JSON whatever its content type says, or without one", async () => {
    const { states } = await taken(
      source,
      send({ job_uid: "1", message: "Job failed." }, "", { "content-type": "text/plain" }),
      send({ job_uid: "2", message: "Job failed." }, "", {
        "content-type": "application/x-www-form-urlencoded",
      }),
      send({ job_uid: "3", message: "Job failed." }),
    );
    expect(states).toEqual(["done", "done", "done"]);
  });

  test("created, succeeded, succeeded, failed, succeeded: what repeats is a duplicate, what changes is not", async () => {
    const job = { job_uid: "1" };
    const { handled } = await taken(
      source,
      send(job, "/created"),
      send(job, "/failed"),
      send(job, "/succeeded"),
      send(job, "/succeeded"),
    );
    expect(handled.map(({ type }) => type)).toEqual(["job.created", "job.failed", "job.succeeded"]);
  });
});

describe("any of them", () => {
  const bodies: readonly (readonly [what: string, body: string | Uint8Array, state: string])[] = [
    ["nothing", "", "quarantined empty"],
    ["null", "null", "quarantined unidentified"],
    ["a list", "[]", "quarantined unidentified"],
    ["text", '"job"', "quarantined unidentified"],
    ["a number", "42", "quarantined unidentified"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "quarantined unparsable"],
    ["a byte order mark before JSON", `\uFEFF${socialDataExample}`, "done"],
  ];
  test.each(bodies)("a body of %s is kept: 200", async (_, body, state) => {
    const { statuses, states } = await taken(socialData({ token: "t" }), { body });
    expect([statuses, states]).toEqual([[200], [state]]);
  });

  test("a compressed body is kept as it is", async () => {
    const body = gzipSync(socialDataExample);
    const { states, inbox } = await taken(socialData({ token: "t" }), {
      body,
      headers: { "content-encoding": "gzip" },
    });
    expect(states).toEqual(["quarantined coding"]);
    const { events } = await inbox.list();
    expect(Buffer.from((await inbox.get(events[0]?.key ?? ""))?.delivery?.body ?? [])).toEqual(
      body,
    );
  });

  test("header names count in any case", async () => {
    const { statuses } = await taken(captainData({ headers: { "X-Api-Key": "k" } }), {
      url,
      headers: { "x-API-key": "k" },
      body: '{"job_uid":"1"}',
    });
    expect(statuses).toEqual([200]);
  });

  test("a body beyond the bound is 413", async () => {
    const { statuses, states } = await taken(socialData({ token: "t", bodyBytesMax: 100 }), {
      body: "x".repeat(101),
    });
    expect([statuses, states]).toEqual([[413], []]);
  });

  test("neither query, token, authorization nor body is logged", async () => {
    const desk = await taken(
      audata({ token: "a-long-token" }),
      { method: "GET", url: `${url}/a-long-token?${audataQueries.HTTParty}` },
      { url: `${url}/a-long-token`, body: "jane@example.com" },
      {
        url: `${url}/another-token`,
        body: "jane@example.com",
        headers: { authorization: "Bearer b-long-token" },
      },
    );
    const text = JSON.stringify([desk.lines, desk.signals]);
    for (const hidden of [
      "a-long-token",
      "b-long-token",
      "another-token",
      "John",
      "0412123123",
      "jane@",
    ]) {
      expect(text).not.toContain(hidden);
    }
  });
});
