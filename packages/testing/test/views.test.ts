/** What people see of an event: nothing that its provider calls personal. */

import { defineProvider, type Source } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { generic } from "@webhook-inbox/core/providers/generic";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { slack } from "@webhook-inbox/core/providers/slack";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { audataExample, audataQueries, captainDataExamples } from "@webhook-inbox/testing/senders";
import { sign } from "@webhook-inbox/testing/sign";
import { describe, expect, test } from "vitest";
import { signedDesk, url, type Loose } from "../../../tests/support/signed-desk.ts";

async function viewed(source: Source, delivery: Loose) {
  const { deliver, inbox } = await signedDesk(source);
  expect((await deliver(delivery)).status).toBe(200);
  const { events } = await inbox.list();
  const view = await inbox.view(events[0]?.key ?? "");
  return { content: view?.delivery?.content, text: JSON.stringify(view), view };
}

const tokenUrl = `${url}/t0ken-of-some-length`;
const token = "t0ken-of-some-length";

describe("a view", () => {
  test("of Audata's POST shows ids and times of the record, and nobody", async () => {
    const { content, text } = await viewed(audata({ token }), {
      url: tokenUrl,
      body: audataExample,
    });
    expect(content).toMatchObject({
      event: "Listener.updated",
      sender_id: 1_788_495,
      sender: {
        id: 1_788_495,
        first_name: "***",
        dob: "***",
        phone_number: "***",
        updated_at: "2020-03-17T23:02:25.624+11:00",
      },
    });
    for (const personal of [
      "John",
      "Smith",
      "1990-07-29",
      "0412123123",
      "58 Stead",
      // In quotes: keys and times have digits of their own.
      '"3205"',
      "VIC",
      "34c16742",
    ]) {
      expect(text).not.toContain(personal);
    }
  });

  test.each(Object.entries(audataQueries))(
    "of Audata's GET by %s hides the whole query",
    async (_, query) => {
      const { text, view } = await viewed(audata({ token }), {
        method: "GET",
        url: `${tokenUrl}?${query}`,
      });
      expect(view?.delivery?.target).toBe("/webhooks/p/***?***");
      for (const personal of ["John", "0412123123", "58 Stead", "58+Stead", "=3205"]) {
        expect(text).not.toContain(personal);
      }
      expect(text).toContain("Listener.updated");
    },
  );

  test("of SocialData hides the file's URL and why a job failed", async () => {
    const body =
      '{"event":"job_finished","data":{"job_id":1,"status":"success","result":{"datafile_url":"https://s3.example/x?X-Amz-Signature=abc"}}}';
    const { content } = await viewed(socialData({ token }), { url: tokenUrl, body });
    expect(content).toEqual({
      event: "job_finished",
      data: { job_id: 1, status: "success", result: { datafile_url: "***" } },
    });
  });

  test("of SocialData's monitors hides all that they saw", async () => {
    const body =
      '{"event":"new_tweet","data":{"id_str":"7","full_text":"hello","user":{"name":"N"},"quoted_status":{"user":{"name":"M"}}},"meta":{"monitor_id":"m"}}';
    const { content } = await viewed(socialData({ token }), { url: tokenUrl, body });
    expect(content).toEqual({
      event: "new_tweet",
      data: {
        id_str: "***",
        full_text: "***",
        user: { name: "***" },
        quoted_status: { user: { name: "***" } },
      },
      meta: { monitor_id: "m" },
    });
  });

  test("of Captain Data hides errors, names and its own headers", async () => {
    const { content, text } = await viewed(captainData({ headers: { "x-key": "k3y" } }), {
      headers: { "x-key": "k3y", "x-person": "Jane Doe" },
      body: JSON.stringify(captainDataExamples.failed),
    });
    expect(content).toMatchObject({
      job_uid: captainDataExamples.failed["job_uid"],
      error: "***",
      job_name: "***",
    });
    expect(text).not.toContain("Jane Doe");
    expect(text).not.toContain("k3y");
  });

  test("of a list and of a form with JSON inside", async () => {
    const { content } = await viewed(
      slack({ secret: "s" }),
      sign.slack({
        url,
        body: `payload=${encodeURIComponent('{"type":"block_actions","user":{"name":"jane"},"trigger_id":"1"}')}`,
        secret: "s",
      }),
    );
    expect(content).toEqual({
      payload: { type: "block_actions", user: { name: "***" }, trigger_id: "***" },
    });
    const batch = await viewed(sendgrid({ auth: "none" }), {
      body: '[{"event":"open","email":"jane@example.com","timestamp":1,"sg_event_id":"e","custom":"x"}]',
    });
    expect(batch.content).toEqual([
      { event: "open", email: "***", timestamp: 1, sg_event_id: "e", custom: "***" },
    ]);
  });

  test("of a provider that says nothing hides every value", async () => {
    const { content } = await viewed(generic({ token }), {
      url: tokenUrl,
      body: '{"a":{"b":[1,"x",true,null,""]}}',
    });
    expect(content).toEqual({ a: { b: ["***", "***", "***", null, ""] } });
  });

  test("of a body that cannot be read shows its length alone", async () => {
    const { view, text } = await viewed(socialData({ token }), {
      url: tokenUrl,
      body: "jane@example.com {",
    });
    expect(view?.delivery).toMatchObject({ content: undefined, bodyBytes: 18 });
    expect(text).not.toContain("jane");
  });

  test("of one that is nested a hundred thousand deep shows its length alone", async () => {
    const body = `{"job_uid":"1","error":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    const { view } = await viewed(captainData({ bearer: "b" }), {
      headers: { authorization: "Bearer b" },
      body,
    });
    expect(view?.delivery?.bodyBytes).toBe(body.length);
  });

  test("shows no message that quotes what is hidden", async () => {
    const provider = defineProvider({
      name: "own",
      auth: ["token"],
      methods: ["POST"],
      habits: { redelivers: "never", bodyStable: true },
      events: {},
      personal: ["email"],
      identify: () => ({ kind: "events", events: [{ id: "1", type: "a" }] }),
      parse: () => {
        throw new Error("cannot read jane@example.com, id 5");
      },
    });
    const { text, view } = await viewed(provider({ token }), {
      url: tokenUrl,
      body: '{"email":"jane@example.com","id":5}',
    });
    expect(text).not.toContain("jane");
    expect(view?.event.history[0]?.failures[0]?.message).toBe("cannot read ***, id 5");
  });

  test("of JSON under the content type of a form, of values at the root, and of a wrapped body", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const auth = { authorization: "Bearer b" };
    const failed = '{"job_uid":"1","error":"jane@example.com"}';
    for (const [headers, body] of [
      [form, failed],
      [form, "payload=%22jane@example.com%22"],
      [form, "payload=jane@example.com"],
      [{}, '"jane@example.com"'],
      [{}, `[${failed}]`],
      [{}, '{"jane@example.com":1}'],
    ] as const) {
      const { text } = await viewed(captainData({ bearer: "b" }), {
        headers: { ...auth, ...headers },
        body,
      });
      expect(text, body).not.toContain("jane");
    }
  });

  test("of a query behind a second question mark, and of a message that quotes a number", async () => {
    const { text } = await viewed(audata({ token }), {
      method: "GET",
      url: `${url}?token=${token}?event=a.b&webhookCallId=1&sender[first_name]=Jane`,
    });
    expect(text).not.toContain("Jane");
    const provider = defineProvider({
      name: "own",
      auth: ["token"],
      methods: ["POST"],
      habits: { redelivers: "never", bodyStable: true },
      events: {},
      identify: () => ({ kind: "events", events: [{ id: "1", type: "a" }] }),
      parse: () => {
        throw new Error("cannot call 412123123");
      },
    });
    const called = await viewed(provider({ token }), {
      url: tokenUrl,
      body: '{"phone":412123123}',
    });
    expect(called.text).not.toContain("412123123");
  });

  test("of an unknown key is undefined", async () => {
    const { inbox } = await signedDesk(socialData({ token }));
    expect(await inbox.view("0".repeat(26))).toBeUndefined();
  });
});
