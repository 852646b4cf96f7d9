/** Authentic events that do not fit their schema: by policy, and said once for each source, type and place. */

import type { Signal } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const job = (data: string) => ({
  url: `${url}/t`,
  body: `{"event":"job_finished","data":${data}}`,
});
const driftsOf = (signals: readonly Signal[]) =>
  signals.flatMap((signal) => (signal.kind === "schema_drift" ? [signal] : []));

describe("an event that does not fit its schema", () => {
  test("is quarantined, and said once with what was expected and what is there", async () => {
    const { deliver, signals, states, lines, handled } = await signedDesk(
      socialData({ token: "t" }),
    );
    await deliver(job('{"job_id":1,"status":"success","result":{"datafile_url":7}}'));
    await deliver(job('{"job_id":2,"status":"success","result":{"datafile_url":8}}'));
    await deliver(job('{"job_id":3,"status":"success","result":null}'));
    expect(await states()).toEqual([
      "quarantined invalid",
      "quarantined invalid",
      "quarantined invalid",
    ]);
    expect(handled).toEqual([]);
    expect(driftsOf(signals)).toMatchObject([
      {
        event: { type: "job_finished" },
        path: "result.datafile_url",
        expected: "string",
        received: "number",
        policy: "quarantine",
      },
      {
        event: { type: "job_finished" },
        path: "result",
        expected: "object",
        received: "null",
        policy: "quarantine",
      },
    ]);
    const said = lines
      .map(({ message }) => message)
      .filter((message) => message.includes("schema"));
    expect(said).toHaveLength(2);
    expect(said[0]).toContain('at "result.datafile_url": expected string, received number');
  });

  test("is said with the values that its schema names", async () => {
    const events = { t: z.looseObject({ kind: z.enum(["a", "b"]), version: z.literal(2) }) };
    const { deliver, signals } = await signedDesk(generic({ token: "t", events }));
    await deliver({ url: `${url}/t`, body: '{"type":"t","kind":"c","version":1}' });
    expect(driftsOf(signals)).toMatchObject([
      { path: "kind", expected: '"a" or "b"' },
      { path: "version", expected: "2" },
    ]);
  });

  test("is handled all the same where `onInvalid` says so", async () => {
    const { deliver, signals, handled } = await signedDesk(socialData({ token: "t" }), {
      onInvalid: "handle",
    });
    await deliver(job('{"job_id":1,"status":"exploded"}'));
    expect(handled).toMatchObject([{ data: { status: "exploded" }, notes: ["data_invalid"] }]);
    expect(driftsOf(signals)).toMatchObject([
      { path: "status", received: "string", policy: "handle" },
    ]);
  });

  test("says nothing of its content: neither values, nor names that may be content, nor messages", async () => {
    const people = z.record(
      z.string(),
      z.array(
        z
          .string()
          .refine((text) => text.length < 3, { error: (issue) => `not ${String(issue.input)}` }),
      ),
    );
    const source = audata({ token: "t", events: { "Show.updated": z.object({ people }) } });
    const { deliver, signals, lines } = await signedDesk(source);
    await deliver({
      url: `${url}/t`,
      body: '{"event":"Show.updated","webhookCallId":"1","people":{"jane@example.com":["secret value"]}}',
    });
    expect(driftsOf(signals)).toMatchObject([{ path: "people.*.[]", received: "string" }]);
    expect(JSON.stringify([signals, lines])).not.toMatch(/jane|secret value/);
  });

  test("with names that are content is one place, and a choice names what each of it expects", async () => {
    const scores = z.object({
      scores: z.record(z.string(), z.number()),
      is: z.union([z.string(), z.null()]),
    });
    const source = audata({ token: "t", events: { "Show.updated": scores.optional() } });
    const { deliver, signals } = await signedDesk(source);
    const body =
      '{"event":"Show.updated","webhookCallId":"1","scores":{"jane_doe":"x","john_smith":"y"},"is":1}';
    await deliver({ url: `${url}/t`, body });
    expect(
      driftsOf(signals).map(({ path, expected, received }) => [path, expected, received]),
    ).toEqual([
      ["scores.*", "number", "string"],
      ["is", "string or null", "number"],
    ]);
  });

  test("of more places than anybody reads is not said for ever", async () => {
    const fields = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [`n${index}`, z.string()]),
    );
    const source = audata({ token: "t", events: { "Show.updated": z.object(fields) } });
    const { deliver, signals } = await signedDesk(source);
    const names = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`n${index}`, 1]));
    await deliver({
      url: `${url}/t`,
      body: JSON.stringify({ ...names, event: "Show.updated", webhookCallId: "1" }),
    });
    expect(driftsOf(signals)).toHaveLength(1000);
  });
});
