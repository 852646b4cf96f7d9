/** Rows: every answer of an inbox, and what of the request is kept. */

import { strict as assert } from "node:assert";
import { raw, writeAndLeave } from "./exchange.ts";
import { expectAnswer, job, jobs, json, radio, type Place, type Rows } from "./row.ts";
import { signatureOf } from "./site.ts";

const bearer = ["authorization", "Bearer s3cret"] as const;
const team = ["x-team", "blue"] as const;
const closed = { connection: "close" };

async function keepsNothing({ kept }: Place): Promise<void> {
  assert.deepEqual(await kept(), []);
}

export const answerRows: Rows = {
  async "a POST is kept, answered 200 ok, and handled after the answer"(place) {
    const { send, kept, handled, inbox } = place;
    expectAnswer(await send({ path: jobs, body: job(42), headers: [json] }), 200);
    await inbox.idle();
    const [one] = await kept();
    assert.equal(one?.event.id, "job:42:error");
    assert.equal(one?.delivery?.target, "/webhooks/jobs/***");
    assert.equal(Buffer.from(one?.delivery?.body ?? []).toString(), job(42));
    assert.equal(one?.delivery?.reconstructed, false);
    assert.deepEqual(
      handled.map(({ id }) => id),
      ["job:42:error"],
    );
  },

  async "a GET is kept with its query exactly as it was sent"({ send, kept }) {
    const query =
      "event=Listener.updated&webhookCallId=7&sender%5Bfull_address%5D=58+Stead%20St&sender[x]=a/b&y=%zz?event=x&a=&b";
    const path = `${radio}?${query}`;
    expectAnswer(await send({ path }), 200);
    const [one] = await kept();
    assert.equal(one?.event.type, "Listener.updated");
    assert.equal(one?.delivery?.method, "GET");
    assert.equal(one?.delivery?.target, path.replace("t0ken", "***"));
  },

  async "a token in the query counts where its provider appends one"({ send, kept }) {
    const path = "/webhooks/radio?token=t0ken?event=Prize.created&webhookCallId=8";
    expectAnswer(await send({ path }), 200);
    assert.match((await kept())[0]?.delivery?.target ?? "", /^\/webhooks\/radio\?token=\*\*\*\?/);
  },

  async "headers that carry credentials count, and are not kept"({ send, kept }) {
    const path = "/webhooks/runs/succeeded";
    const headers = [json, bearer, team];
    expectAnswer(await send({ path, headers, body: '{"job_uid":"1"}' }), 200);
    const [one] = await kept();
    assert.equal(one?.event.type, "job.succeeded");
    assert.doesNotMatch(JSON.stringify(one?.delivery?.headers), /s3cret|blue/);
  },

  async "what a provider wants to read is answered word for word: no content, or another type"({
    send,
    kept,
  }) {
    const silent = await send({ path: "/webhooks/silent/t0ken", body: "hello" });
    assert.deepEqual([silent.status, silent.body], [204, ""]);
    const marked = await send({ path: "/webhooks/marked/t0ken", body: "hello" });
    assert.deepEqual([marked.status, marked.body], [200, "<Réponse/>"]);
    assert.deepEqual(marked.headers.get("content-type"), ["text/xml"]);
    assert.equal((await kept()).length, 2);
  },

  async "questions are answered: by GET word for word, by POST without content; nothing is kept"(
    place,
  ) {
    const { send, kept } = place;
    const asked = "/webhooks/asked/t0ken";
    const answer = await send({ path: `${asked}?token=v3rify&challenge=a.b-c` });
    assert.deepEqual([answer.status, answer.body], [200, "a.b-c"]);
    assert.equal((await send({ path: `${asked}?token=wrong&challenge=1` })).status, 401);
    assert.equal((await send({ path: `${asked}?token=v3rify&challenge=%3Cb%3E` })).status, 400);
    const ping = await send({ path: asked, body: "ping" });
    assert.deepEqual([ping.status, ping.body], [204, ""]);
    await keepsNothing(place);
    assert.deepEqual(await kept(), []);
  },

  async "a duplicate is answered like the first, and counted"({ send, kept }) {
    for (let n = 0; n < 3; n++) expectAnswer(await send({ path: jobs, body: job(1) }), 200);
    assert.deepEqual(
      (await kept()).map(({ event }) => event.duplicates),
      [2],
    );
  },

  async "what is authentic and cannot be read is kept"({ send, kept, inbox }) {
    for (const body of ["", "{", '"x"', "\u0000", "NaN"]) {
      expectAnswer(await send({ path: jobs, body, headers: [json] }), 200);
    }
    await inbox.idle();
    assert.deepEqual(
      new Set((await kept()).map(({ event }) => event.state)),
      new Set(["quarantined"]),
    );
  },

  async "any content type will do, and none"({ send, kept }) {
    const types = [
      "text/plain",
      "image/png",
      ";;;",
      "application/json; charset=utf-16le",
      "APPLICATION/JSON ;Charset=x",
      "multipart/form-data",
      "application/x-www-form-urlencoded",
      "application/octet-stream",
    ];
    expectAnswer(await send({ path: jobs, body: job(0) }), 200);
    for (const [index, type] of types.entries()) {
      const headers = [["content-type", type]] as const;
      expectAnswer(await send({ path: jobs, body: job(index + 1), headers }), 200);
    }
    assert.equal((await kept()).length, types.length + 1);
  },

  async "header lines are kept as they came, repeats and all"({ send, kept }) {
    const headers = [
      ["X-Other", "1"],
      ["X-Other", "2"],
    ] as const;
    await send({ path: jobs, body: job(1), headers });
    const lines = (await kept())[0]?.delivery?.headers.join("\n");
    assert.match(lines ?? "", /X-Other\n1\nX-Other\n2/);
  },

  async "a header that must not repeat is answered 400 when it does"(place) {
    const headers = [bearer, bearer, team];
    expectAnswer(await place.send({ path: "/webhooks/runs", headers, body: "{}" }), 400);
    const signature = ["x-signature", signatureOf(Buffer.from("{}"))] as const;
    const twice = [signature, ["x-signature", "00"]] as const;
    expectAnswer(await place.send({ path: "/webhooks/signed", headers: twice, body: "{}" }), 400);
    await keepsNothing(place);
  },

  async "without a credential, what cannot be read is answered 400"(place) {
    for (const body of ["", "{", "1"]) {
      expectAnswer(await place.send({ path: "/webhooks/open", body, headers: [json] }), 400);
    }
    await keepsNothing(place);
  },

  async "a missing or a wrong credential is answered 401, whatever the cause"(place) {
    const { send } = place;
    const body = job(1);
    const requests = [
      { path: "/webhooks/jobs", body },
      { path: "/webhooks/jobs/", body },
      { path: "/webhooks/jobs/T0KEN", body },
      { path: "/webhooks/jobs/%740ken", body },
      { path: `/webhooks/jobs/${"x".repeat(5000)}`, body },
      { path: "/webhooks/radio?event=Prize.created" },
      { path: "/webhooks/runs", body, headers: [bearer] },
      { path: "/webhooks/runs", body, headers: [["authorization", "Bearer wrong"], team] as const },
      { path: "/webhooks/signed", body },
      { path: "/webhooks/signed", body, headers: [["x-signature", "00"]] as const },
    ];
    for (const request of requests) {
      expectAnswer(await send(request), 401, { "www-authenticate": "Bearer" });
    }
    await keepsNothing(place);
  },

  async "a path below the inbox that is no source's is answered 404"(place) {
    const paths = [
      "/",
      "/nobody",
      "/jobs/t0ken/",
      "/jobs/t0ken/created",
      "/runs/lost",
      "/JOBS/t0ken",
    ];
    for (const path of paths) {
      expectAnswer(await place.send({ path: `/webhooks${path}`, body: job(1) }), 404);
    }
    await keepsNothing(place);
  },

  async "a path that only resembles the inbox's is not the inbox's"(place) {
    const paths = [
      "/webhook/jobs/t0ken",
      "/webhooksx/jobs/t0ken",
      "/webhooks%2Fjobs%2Ft0ken",
      "/%77ebhooks/jobs/t0ken",
      "/webhooks;x=1/jobs/t0ken",
      "/x/../webhooksx/jobs/t0ken",
    ];
    for (const path of paths) {
      assert.equal((await place.send({ path, body: job(1) })).status, 404, path);
    }
    await keepsNothing(place);
  },

  async "a method that the provider does not use is answered 405"(place) {
    for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
      const body = method === "GET" ? {} : { body: job(1) };
      expectAnswer(await place.send({ path: jobs, method, ...body }), 405, { allow: "POST" });
    }
    expectAnswer(await place.send({ path: radio, method: "PUT", body: "" }), 405, {
      allow: "GET, POST",
    });
    await keepsNothing(place);
  },

  async "HEAD, and a GET that a browser makes by way of trial, keep nothing"(place) {
    const query = "?event=Prize.created&webhookCallId=9";
    const head = await place.send({ path: radio + query, method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("allow")], [405, ["GET, POST"]]);
    const headers = [["Sec-Purpose", "prefetch;prerender"]] as const;
    expectAnswer(await place.send({ path: radio + query, headers }), 405, { allow: "GET, POST" });
    await keepsNothing(place);
  },

  async "a body of the largest size is kept, and one byte more is answered 413"(place) {
    const { send, kept } = place;
    const largest = job(1, "x".repeat(100_000 - Buffer.byteLength(job(1))));
    expectAnswer(await send({ path: jobs, body: largest }), 200);
    expectAnswer(await send({ path: jobs, body: `${largest} ` }), 413);
    expectAnswer(await send({ path: jobs, body: `${largest} `, chunkBytes: 30_000 }), 413);
    assert.equal((await kept()).length, 1);
  },

  async "more than 100 header lines are answered 431"(place) {
    const headers = Array.from({ length: 101 }, (_, n) => [`x-${n}`, "1"] as const);
    expectAnswer(await place.send({ path: jobs, body: job(1), headers }), 431);
    await keepsNothing(place);
  },

  async "an unknown transfer coding is answered 501"(place) {
    const { port, prefix } = place;
    const head = `POST ${prefix}${jobs} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n`;
    const seen = await raw(port, `${head}0\r\n\r\n`);
    assert.match(seen, /^HTTP\/1\.1 501 [^]*\r\n\r\n[^]*not implemented/);
    await keepsNothing(place);
  },

  async "after the inbox was closed it is answered 503, and told when to come back"(place) {
    await place.inbox.close();
    const answer = await place.send({ path: jobs, body: job(1) });
    const after = answer.headers.get("retry-after")?.[0] ?? "";
    assert.match(after, /^[1-5]$/);
    expectAnswer(answer, 503, { "retry-after": after });
  },

  async "an answer says how long it is"({ send }) {
    for (const [path, status, length] of [
      [jobs, 200, "2"],
      ["/webhooks/jobs/wrong", 401, "12"],
      ["/webhooks/nobody", 404, "9"],
    ] as const) {
      const answer = await send({ path, body: job(1) });
      expectAnswer(answer, status, { "content-length": length });
    }
  },

  async "a refusal ends its connection, and a 200 does not"({ send }) {
    expectAnswer(await send({ path: "/webhooks/jobs/wrong", body: job(1) }), 401, closed);
    expectAnswer(await send({ path: "/webhooks/nobody", body: job(1) }), 404, closed);
    expectAnswer(await send({ path: jobs, body: "x".repeat(200_000) }), 413, closed);
    const { headers } = await send({ path: jobs, body: job(1) });
    assert.notEqual(headers.get("connection")?.[0], "close");
  },

  async "two deliveries on one connection are two events"({ port, prefix, kept }) {
    const one = (id: number, more = ""): string =>
      `POST ${prefix}${jobs} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${Buffer.byteLength(job(id))}\r\n\r\n${job(id)}`;
    const seen = await raw(port, one(1) + one(2, "Connection: close\r\n"));
    assert.equal(seen.match(/HTTP\/1\.1 200 /g)?.length, 2);
    assert.equal((await kept()).length, 2);
  },

  async "a sender that waits for 100 Continue is told so"({ port, prefix, kept }) {
    const length = Buffer.byteLength(job(1));
    const head = `POST ${prefix}${jobs} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
    assert.match(await raw(port, head + job(1)), /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 /);
    assert.equal((await kept()).length, 1);
  },

  async "a sender that leaves in the middle leaves nothing, and disturbs nobody"(place) {
    const { port, prefix, send, kept } = place;
    const head = `POST ${prefix}${jobs} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n{"event"`;
    for (let n = 0; n < 20; n++) await writeAndLeave(port, head);
    expectAnswer(await send({ path: jobs, body: job(1) }), 200);
    assert.equal((await kept()).length, 1);
  },
};

/** Rows about what may stand in the way of the inbox where something does: they hold where nothing is in front. */
export const plainRows: Rows = {
  async "another letter case and doubled slashes make another path"(place) {
    for (const path of ["/Webhooks/jobs/t0ken", "//webhooks/jobs/t0ken", "/webhooks//jobs/t0ken"]) {
      assert.equal((await place.send({ path, body: job(1) })).status, 404, path);
    }
    await keepsNothing(place);
  },

  async "OPTIONS is answered 405, and no other site is let in"(place) {
    const headers = [
      ["origin", "https://x.test"],
      ["access-control-request-method", "POST"],
    ] as const;
    const answer = await place.send({ path: jobs, method: "OPTIONS", headers });
    expectAnswer(answer, 405, { allow: "POST" });
    assert.equal(answer.headers.get("access-control-allow-origin"), undefined);
  },

  async "methods that few know are answered 405"(place) {
    for (const method of ["PURGE", "PROPFIND", "QUERY"]) {
      expectAnswer(await place.send({ path: jobs, method, body: "" }), 405, { allow: "POST" });
    }
  },

  async "a fetch handler's stream that breaks off ends the connection"({ port, prefix }) {
    const get = `GET ${prefix}/pages/broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const seen = await raw(port, get);
    assert.match(seen, /^HTTP\/1\.1 (?:200|500) /);
    const isWhole = /^HTTP\/1\.1 200 [^]*\r\n0\r\n\r\n$/.test(seen);
    assert.equal(isWhole, false);
  },

  async "a body that does not arrive is answered 408"({ port, prefix, kept }) {
    const head = `POST ${prefix}${jobs} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n{"event"`;
    assert.match(await raw(port, head), /^HTTP\/1\.1 408 [^]*\r\n\r\n[^]*request timeout/);
    assert.deepEqual(await kept(), []);
  },
};
