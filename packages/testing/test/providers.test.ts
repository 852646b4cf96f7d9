import { createInbox, type WebhookEvent } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import {
  audataExample,
  audataExampleAsPrinted,
  audataQueries,
  captainDataExamples,
  socialDataErrorExample,
  socialDataExample,
} from "@webhook-inbox/testing/senders";
import { describe, expect, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

/** Serves the three providers, with one handler for everything that comes. */
async function desk() {
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: {
      socialdata: socialData({ token: "t" }),
      audata: audata({ token: "t" }),
      "captain-data": captainData({ bearer: "t" }),
    },
    logger: false,
  });
  const handled: WebhookEvent[] = [];
  for (const source of ["socialdata", "audata", "captain-data"] as const) {
    inbox.on(source, "*", (event) => void handled.push(event));
  }
  const served = await serve(inbox);
  return {
    inbox,
    handled,
    /** Sends one delivery and waits until it is handled; answers its status. */
    async deliver(path: string, more: Parameters<typeof ask>[2] = {}): Promise<number> {
      const headers = { authorization: "Bearer t", ...more.headers };
      const { status } = await ask(served, path, { ...more, headers });
      await inbox.idle();
      return status;
    },
    async states(): Promise<readonly string[]> {
      const { events } = await inbox.list();
      return events.map(({ state, reason }) => [state, reason].filter(Boolean).join(" "));
    },
  };
}

describe("SocialData", () => {
  const path = "/webhooks/socialdata/t";

  test("its documented example is handled", async () => {
    const { deliver, handled } = await desk();
    expect(await deliver(path, { body: socialDataExample })).toBe(200);
    expect(handled).toMatchObject([
      {
        source: "socialdata",
        type: "job_finished",
        id: "job:42:success",
        data: {
          job_id: 42,
          status: "success",
          result: { datafile_url: "https://s3.amazonaws.com/..." },
        },
        notes: [],
      },
    ]);
  });

  test("a failed job is an event of its own beside a success of the same job", async () => {
    const { deliver, handled } = await desk();
    await deliver(path, { body: socialDataErrorExample });
    await deliver(path, { body: socialDataExample });
    await deliver(path, { body: '{"event":"job_finished","data":{"job_id":43,"status":"error"}}' });
    expect(handled.map(({ id }) => id)).toEqual(["job:42:error", "job:42:success", "job:43:error"]);
    expect(handled[0]?.data).toMatchObject({ message: "Insufficient balance" });
  });

  test("two jobs whose numbers differ beyond 2^53 stay two", async () => {
    const { deliver, handled } = await desk();
    for (const id of ["9007199254740993", "9007199254740992", "1493446837214187523"]) {
      const body = `{"event":"job_finished","data":{"job_id": ${id},"status":"error"}}`;
      expect(await deliver(path, { body })).toBe(200);
    }
    expect(handled.map(({ id }) => id)).toEqual([
      "job:9007199254740993:error",
      "job:9007199254740992:error",
      "job:1493446837214187523:error",
    ]);
  });

  test("the digits are those of the job, not of another number of that name", async () => {
    const { deliver, handled } = await desk();
    for (const last of [3, 4]) {
      const data = `{"note":{"job_id":1},"job_id":900719925474099${last},"status":"error"}`;
      await deliver(path, { body: `{"meta":{"job_id":7},"event":"job_finished","data":${data}}` });
    }
    expect(handled.map(({ id }) => id)).toEqual([
      "job:9007199254740993:error",
      "job:9007199254740994:error",
    ]);
  });

  test("a job id as text is the same job as one as a number", async () => {
    const { deliver, states } = await desk();
    await deliver(path, {
      body: '{"event":"job_finished","data":{"job_id":"5","status":"error"}}',
    });
    expect(await states()).toEqual(["done"]);
  });

  test("unexpected keys stay, an unexpected status of the documents is handled", async () => {
    const { deliver, handled } = await desk();
    const body = '{"event":"job_finished","data":{"job_id":1,"status":"pending","eta":5},"new":1}';
    await deliver(path, { body });
    expect(handled).toMatchObject([{ id: "job:1:pending", data: { eta: 5 } }]);
  });

  test("an event it does not document is taken whole, and known by its content", async () => {
    const { deliver, handled } = await desk();
    const body = '{"event":"new_space","data":{"id_str":"1"}}';
    expect(await deliver(path, { body })).toBe(200);
    expect(await deliver(path, { body })).toBe(200);
    expect(handled).toMatchObject([
      { type: "new_space", data: { event: "new_space" }, notes: ["id_missing"] },
    ]);
    expect(handled[0]?.id).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

describe("Audata by POST", () => {
  const path = "/webhooks/audata/t";

  test("its documented example with straight quotes is handled", async () => {
    const { deliver, handled } = await desk();
    expect(await deliver(path, { body: audataExample })).toBe(200);
    expect(handled).toMatchObject([
      {
        type: "Listener.updated",
        id: "2ae54ecb-930f-4a7a-974d-d84788d9dd12",
        occurredAt: Date.parse("2020-03-18T06:41:56.555Z"),
        data: {
          event: "Listener.updated",
          sentAt: "2020-03-18T17:41:56.555+11:00",
          station: "developerfm",
          sender_id: 1788495,
          sender: {
            first_name: "John",
            postcode: "3205",
            phone_number: "0412123123",
            address2: "",
          },
        },
        notes: [],
      },
    ]);
  });

  test("its example as printed, with typographic quotes, is quarantined and answered 200", async () => {
    const { deliver, inbox, states } = await desk();
    expect(await deliver(path, { body: audataExampleAsPrinted })).toBe(200);
    expect(await states()).toEqual(["quarantined unparsable"]);
    const { events } = await inbox.list();
    const kept = await inbox.get(events[0]?.key ?? "");
    expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(audataExampleAsPrinted);
  });

  test("null and missing fields of a record are fine; unknown ones stay", async () => {
    const { deliver, handled, states } = await desk();
    const sender = { id: 1, gender: null, state: null, custom_data: { team: ["a"] } };
    const call = { event: "Listener.created", sender_id: 1, sender, webhookCallId: "1" };
    await deliver(path, { body: JSON.stringify(call) });
    expect(handled[0]?.data).toMatchObject({ sender });
    expect(await states()).toEqual(["done"]);
  });

  for (const [what, sender] of [
    ["missing", undefined],
    ["null", null],
  ] as const) {
    test(`a deleted record that is ${what} is an empty record`, async () => {
      const { deliver, handled } = await desk();
      const call = { event: "Prize.deleted", sender_id: 9, sender, webhookCallId: "1" };
      await deliver(path, { body: JSON.stringify(call) });
      expect(handled).toMatchObject([{ data: { sender_id: 9, sender: {} }, notes: [] }]);
    });
  }

  test("fields of the call may be null, and a call id a number of any size", async () => {
    const { deliver, handled } = await desk();
    for (const id of ["9007199254740993", "9007199254740992", "null"]) {
      const call = `{"event":"Listener.updated","sentAt":null,"station":null,"webhookCallId":${id}}`;
      await deliver(path, { body: call });
    }
    expect(handled.map(({ id }) => id.slice(0, 16))).toEqual([
      "9007199254740993",
      "9007199254740992",
      expect.stringMatching(/^sha256:/),
    ]);
  });

  test("record names that it does not document are taken", async () => {
    const { deliver, handled } = await desk();
    for (const event of ["Custom.Thing.updated", "nodots", "Payment.created"]) {
      await deliver(path, { body: JSON.stringify({ event, webhookCallId: event }) });
    }
    expect(handled.map(({ type }) => type)).toEqual([
      "Custom.Thing.updated",
      "nodots",
      "Payment.created",
    ]);
  });

  test("a time of sending that cannot be read leaves the time unknown, and the text as it is", async () => {
    const { deliver, handled } = await desk();
    for (const sentAt of ["2026-13-45", "later", "2020-03-18T06:41:56Z"]) {
      await deliver(path, {
        body: JSON.stringify({ event: "Listener.updated", sentAt, webhookCallId: sentAt }),
      });
    }
    expect(handled.map(({ occurredAt }) => occurredAt)).toEqual([
      undefined,
      undefined,
      Date.parse("2020-03-18T06:41:56Z"),
    ]);
    expect(handled[0]?.data).toMatchObject({ sentAt: "2026-13-45" });
  });
});

describe("Audata by GET", () => {
  const path = "/webhooks/audata/t";
  const list = { custom_data: { team: ["a", "b"] } };

  for (const [encoder, query] of Object.entries(audataQueries)) {
    test(`parameters as ${encoder} writes them`, async () => {
      const { deliver, handled } = await desk();
      expect(await deliver(`${path}?${query}`)).toBe(200);
      expect(handled).toMatchObject([
        {
          type: "Listener.updated",
          id: "2ae54ecb-930f-4a7a-974d-d84788d9dd12",
          occurredAt: Date.parse("2020-03-18T06:41:56.555Z"),
          data: {
            sentAt: "2020-03-18T17:41:56.555+11:00",
            station: "developerfm",
            sender_id: 1788495,
            sender: {
              id: 1788495,
              first_name: "John",
              address2: "",
              postcode: "3205",
              phone_number: "0412123123",
              full_address: "58 Stead St",
              ...list,
            },
          },
          notes: [],
        },
      ]);
    });
  }

  const cases: readonly (readonly [what: string, query: string, data: object])[] = [
    [
      "raw brackets",
      "sender[id]=5&sender[custom_data][a][b]=c",
      { sender: { id: 5, custom_data: { a: { b: "c" } } } },
    ],
    [
      "a raw + in an offset",
      "sentAt=2020-03-18T17:41:56.555+11:00",
      { sentAt: "2020-03-18T17:41:56.555+11:00" },
    ],
    [
      "a raw + in a record's offset",
      "sender[updated_at]=2020-03-17T23:02:25.624+1100",
      { sender: { updated_at: "2020-03-17T23:02:25.624+1100" } },
    ],
    [
      "a raw + elsewhere is a space",
      "sender[first_name]=Mary+Ann",
      { sender: { first_name: "Mary Ann" } },
    ],
    [
      "leading zeros of an id",
      "sender[id]=007&sender_id=007",
      { sender: { id: "007" }, sender_id: "007" },
    ],
    ["an id beyond 2^53", "sender_id=9007199254740993", { sender_id: "9007199254740993" }],
    [
      "numbers that are no ids",
      "sender[postcode]=0800&sender[phone_number]=0412",
      { sender: { postcode: "0800", phone_number: "0412" } },
    ],
    [
      "a percent sign that escapes nothing",
      "sender[first_name]=100%&sender[last_name]=%zz%C3%A9",
      { sender: { first_name: "100%", last_name: "%zzé" } },
    ],
    [
      "records in a list",
      "sender[custom_data][p][][a]=1&sender[custom_data][p][][b]=2&sender[custom_data][p][][a]=3",
      { sender: { custom_data: { p: [{ a: "1", b: "2" }, { a: "3" }] } } },
    ],
    ["a name without a value", "sender[gender]&x", { sender: { gender: "" }, x: "" }],
    ["a question mark in a value", "sender[first_name]=who?", { sender: { first_name: "who?" } }],
  ];
  for (const [what, query, data] of cases) {
    test(what, async () => {
      const { deliver, handled } = await desk();
      await deliver(`${path}?event=Listener.updated&webhookCallId=1&${query}`);
      expect(handled).toMatchObject([{ data }]);
    });
  }

  test("a record that arrived as something else stays readable, and is marked", async () => {
    const { deliver, handled } = await desk();
    const texts = ["%7B%22id%22%3D%3E1%7D", "%5Bobject+Object%5D", ""];
    for (const [n, text] of texts.entries()) {
      await deliver(`${path}?event=Listener.updated&webhookCallId=${n}&sender_id=1&sender=${text}`);
    }
    expect(handled.map(({ data }) => data)).toMatchObject([
      { sender: {}, senderText: '{"id"=>1}', sender_id: 1 },
      { sender: {}, senderText: "[object Object]" },
      { sender: {}, senderText: "" },
    ]);
    expect(handled.map(({ notes }) => notes)).toEqual([
      ["sender_unparsed"],
      ["sender_unparsed"],
      ["sender_unparsed"],
    ]);
  });

  test("a token in the query is no data, and a second question mark ends it", async () => {
    const { deliver, handled } = await desk();
    await deliver("/webhooks/audata?token=t?event=Listener.updated&webhookCallId=1");
    await deliver("/webhooks/audata?event=Listener.updated&webhookCallId=2&token=t");
    await deliver("/webhooks/audata?event=Listener.updated&token=t&webhookCallId=3");
    expect(handled.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(handled.every(({ data }) => !("token" in (data as object)))).toBe(true);
  });

  test("the event and its id count wherever they stand among any number of parameters", async () => {
    const { deliver, handled } = await desk();
    const many = Array.from({ length: 600 }, (_, n) => `p${n}=1`).join("&");
    await deliver(`${path}?${many}&event=Listener.updated&webhookCallId=1`);
    expect(handled).toMatchObject([{ id: "1", type: "Listener.updated", notes: [] }]);
  });

  test("a call without an event that can be read is kept, not taken for a health check", async () => {
    const { deliver, states } = await desk();
    expect(await deliver(`${path}?webhookCallId=1`)).toBe(200);
    expect(await deliver(`${path}?event[]=Listener.updated`)).toBe(200);
    expect(await states()).toEqual(["quarantined unidentified", "quarantined unidentified"]);
  });

  test("an event without a call id is known by its content", async () => {
    const { deliver, handled } = await desk();
    await deliver(`${path}?event=Listener.updated&sender_id=1`);
    await deliver(`${path}?event=Listener.updated&sender_id=1`);
    await deliver(`${path}?event=Listener.updated&sender_id=2`);
    expect(handled.map(({ notes }) => notes)).toEqual([["id_missing"], ["id_missing"]]);
  });

  test("hostile parameters reach no prototype and cost nothing", async () => {
    const { deliver, handled } = await desk();
    const hostile = [
      "__proto__[x]=1&constructor=y&sender[__proto__][x]=1&sender[constructor][prototype][x]=1",
      `${"a[".repeat(1000)}b=1`,
      Array.from({ length: 1000 }, (_, n) => `p${n}=1`).join("&"),
      `sender${"[]".repeat(500)}=1`,
    ];
    for (const [n, query] of hostile.entries()) {
      expect(await deliver(`${path}?event=Listener.updated&webhookCallId=${n}&${query}`)).toBe(200);
    }
    expect(handled).toHaveLength(4);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe("Captain Data", () => {
  const path = "/webhooks/captain-data";
  const { succeeded, failed } = captainDataExamples;

  test("its documented examples are handled", async () => {
    const { deliver, handled } = await desk();
    expect(await deliver(path, { body: JSON.stringify(succeeded) })).toBe(200);
    expect(await deliver(path, { body: JSON.stringify(failed) })).toBe(200);
    expect(handled).toMatchObject([
      {
        type: "job.succeeded",
        id: `${succeeded["job_uid"]}:succeeded`,
        data: succeeded,
        notes: [],
      },
      { type: "job.failed", id: `${failed["job_uid"]}:failed`, data: failed, notes: [] },
    ]);
  });

  const types: readonly (readonly [
    what: string,
    type: string,
    body: object,
    more?: { readonly segment?: string; readonly header?: string; readonly notes?: string[] },
  ])[] = [
    ["the segment of the URL", "job.created", { message: "?" }, { segment: "created" }],
    ["the header", "job.created", { message: "?" }, { header: "Created" }],
    ["the segment before the header", "job.failed", {}, { segment: "failed", header: "created" }],
    ["a header of another word", "job.unknown", {}, { header: "deleted" }],
    ["the known message of success", "job.succeeded", { message: "Job successfully finished." }],
    ["the known message of failure", "job.failed", { message: "Job failed." }],
    ["an error", "job.failed", { message: "?", error: "boom" }],
    ["an error that is a record", "job.failed", { error: { error_label: "x" } }],
    ["an empty error says nothing", "job.unknown", { error: "" }],
    ["words of failure", "job.failed", { message: "Execution failed" }],
    ["words of success", "job.succeeded", { message: "All completed", error: null }],
    ["words of beginning", "job.created", { message: "Job launched" }],
    ["nothing", "job.unknown", {}],
    [
      "success with an error",
      "job.succeeded",
      { message: "Job successfully finished.", error: "2 of 5 inputs" },
      { notes: ["partial_success"] },
    ],
    [
      "wiring that the body contradicts",
      "job.succeeded",
      { message: "Job failed." },
      { segment: "succeeded", notes: ["type_disagreement"] },
    ],
  ];
  for (const [what, type, body, { segment, header, notes = [] } = {}] of types) {
    test(`type by ${what}: ${type}`, async () => {
      const { deliver, handled } = await desk();
      const status = await deliver(segment === undefined ? path : `${path}/${segment}`, {
        body: JSON.stringify({ job_uid: "j", ...body }),
        headers: header === undefined ? {} : { "X-Webhook-Event": header },
      });
      expect(status).toBe(200);
      const isUnknown = type === "job.unknown";
      const id = isUnknown ? (expect.stringMatching(/^sha256:/) as string) : `j:${type.slice(4)}`;
      expect(handled).toMatchObject([{ type, id, notes: isUnknown ? ["id_missing"] : notes }]);
    });
  }

  test("created, then succeeded, then succeeded again: two events, one duplicate", async () => {
    const { deliver, inbox } = await desk();
    for (const segment of ["created", "succeeded", "succeeded"]) {
      await deliver(`${path}/${segment}`, { body: '{"job_uid":"j"}' });
    }
    const { events } = await inbox.list();
    expect(events).toMatchObject([
      { id: "j:succeeded", duplicates: 1 },
      { id: "j:created", duplicates: 0 },
    ]);
  });

  test("failed, retried, succeeded: two events of the same job", async () => {
    const { deliver, handled } = await desk();
    await deliver(path, { body: JSON.stringify(failed) });
    await deliver(path, { body: JSON.stringify({ ...succeeded, job_uid: failed["job_uid"] }) });
    expect(handled.map(({ type }) => type)).toEqual(["job.failed", "job.succeeded"]);
  });

  test("a callback of version 4 passes as unknown", async () => {
    const { deliver, handled } = await desk();
    const body = JSON.stringify({ run: { run_uid: "r", status: "RUNNING" }, results: [] });
    expect(await deliver(path, { body })).toBe(200);
    expect(handled).toMatchObject([{ type: "job.unknown", data: { run: { run_uid: "r" } } }]);
  });

  test("without a content type it is JSON all the same", async () => {
    const { deliver, states } = await desk();
    await deliver(path, { body: '{"job_uid":"j"}', headers: { "content-type": "" } });
    expect(await states()).toEqual(["done"]);
  });

  test("a body without a job is quarantined", async () => {
    const { deliver, states } = await desk();
    expect(await deliver(path, { body: '{"uid":"x"}' })).toBe(200);
    expect(await states()).toEqual(["quarantined unidentified"]);
  });
});
