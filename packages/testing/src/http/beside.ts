/** Rows: what stands beside the inbox is left alone, and fetch handlers are served as they are. */

import { strict as assert } from "node:assert";
import { raw } from "./exchange.ts";
import { expectAnswer, job, jobs, json, type Place, type Rows } from "./row.ts";

async function says(place: Place, path: string, expected: string): Promise<void> {
  const { status, body } = await place.send({ path });
  assert.deepEqual({ status, body }, { status: 200, body: expected });
}

export const besideRows: Rows = {
  async "other routes are the application's, the path of the inbox itself included"(place) {
    await says(place, "/home", "home");
    await says(place, "/webhooks", "mine");
    assert.equal((await place.send({ path: "/missing" })).status, 404);
  },

  async "other routes have their bodies parsed, before a delivery and after it"(place) {
    const { send } = place;
    for (const round of [1, 2]) {
      const body = JSON.stringify({ round, text: "é😀" });
      const answer = await send({ path: "/echo", body, headers: [json] });
      assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, JSON.parse(body)]);
      expectAnswer(await send({ path: jobs, body: job(round), headers: [json] }), 200);
    }
  },

  async "a fetch handler gets the request, and where it is mounted"(place) {
    const { send, prefix, port } = place;
    const answer = await send({
      path: "/pages/list?state=dead&q=%20",
      headers: [
        ["x-note", "1"],
        ["X-Note", "2"],
      ],
    });
    assert.equal(answer.headers.get("content-type")?.[0], "application/json");
    assert.deepEqual(
      [answer.status, JSON.parse(answer.body)],
      [
        200,
        {
          method: "GET",
          path: `${prefix}/pages`,
          pathname: `${prefix}/pages/list`,
          search: "?state=dead&q=%20",
          host: `127.0.0.1:${port}`,
          note: "1, 2",
          body: "",
        },
      ],
    );
  },

  async "a fetch handler gets the body, parsed before or not"(place) {
    const form = ["content-type", "application/x-www-form-urlencoded"] as const;
    for (const [type, body] of [
      [json, '{"act":"replay","keys":["1","é"]}'],
      [form, "act=replay&keys=1&keys=2"],
    ] as const) {
      const answer = await place.send({ path: "/pages/act", body, headers: [type] });
      const seen = JSON.parse(answer.body) as { method: string; body: string };
      assert.deepEqual([answer.status, seen.method, seen.body], [200, "POST", body]);
    }
  },

  async "a fetch handler's statuses, cookies and streams arrive"({ send, prefix }) {
    const nothing = await send({ path: "/pages/nothing" });
    assert.deepEqual([nothing.status, nothing.body], [204, ""]);
    const moved = await send({ path: "/pages/moved", method: "POST", body: "" });
    assert.deepEqual([moved.status, moved.headers.get("location")], [303, [`${prefix}/pages/`]]);
    const cookies = (await send({ path: "/pages/cookies" })).headers.get("set-cookie") ?? [];
    for (const cookie of ["a=1; Path=/", "b=2; Path=/"]) assert.ok(cookies.includes(cookie));
    assert.equal((await send({ path: "/pages/stream" })).body, "one two three");
    const head = await send({ path: "/pages/", method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
  },

  async "a fetch handler may leave a body unread: the next request on the connection is served"(
    place,
  ) {
    const { port, prefix } = place;
    const length = 1_000_000;
    const post = `POST ${prefix}/pages/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    const get = `GET ${prefix}/home HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const seen = await raw(port, post + "x".repeat(length) + get);
    assert.match(seen, /^HTTP\/1\.1 204 [^]*HTTP\/1\.1 200 [^]*home/);
  },

  async "HEAD of a fetch handler's stream has its headers, and ends"({ send }) {
    const { status, headers, body } = await send({ path: "/pages/endless", method: "HEAD" });
    assert.deepEqual([status, headers.get("x-endless"), body], [200, ["1"], ""]);
  },

  async "a fetch handler that throws is answered 500, and the next one is served"({ send }) {
    assert.equal((await send({ path: "/pages/throws" })).status, 500);
    assert.equal((await send({ path: "/pages/nothing" })).status, 204);
  },
};
