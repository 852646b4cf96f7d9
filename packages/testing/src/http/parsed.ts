/** Rows: an inbox that stands after the framework's body parser says honestly what is left of a body. */

import { strict as assert } from "node:assert";
import { besideRows } from "./beside.ts";
import { expectAnswer, job, jobs, json, radio, type Place, type Rows } from "./row.ts";
import { signatureOf } from "./site.ts";

/**
 * What the framework's parser leaves of a JSON body: its exact bytes (or it never comes before the inbox), what it has
 * made of it, or nothing.
 */
export type AfterParser = "exact" | "rebuilt" | "lost";

const body = job(1).replaceAll(":", " : ");

export function parsedRows(left: AfterParser): Rows {
  const unsigned = left === "lost" ? 500 : 200;
  const signed = left === "exact" ? 200 : 500;
  const notes = left === "exact" ? [] : ["body_reconstructed"];
  const names = (place: Place, level: string): boolean =>
    place.lines.some(([at, text]) => at === level && /before the body parser/.test(text));

  return {
    // What a parser has lost is lost for whatever stands beside the inbox, too.
    ...(left === "lost" ? {} : besideRows),

    async [`a body that no signature covers is ${left}`](place) {
      const { send, kept } = place;
      expectAnswer(await send({ path: jobs, body, headers: [json] }), unsigned);
      const [one] = await kept();
      if (left === "lost") {
        assert.equal(one, undefined);
        assert.ok(names(place, "error"));
      } else {
        assert.deepEqual(one?.event.notes, notes);
        assert.equal(names(place, "warn"), left === "rebuilt");
        const text = Buffer.from(one?.delivery?.body ?? []).toString();
        assert.equal(text, left === "exact" ? body : JSON.stringify(JSON.parse(body)));
      }
    },

    async [`a body that a signature covers is answered ${signed}`](place) {
      const headers = [json, ["x-signature", signatureOf(Buffer.from(body))] as const];
      expectAnswer(await place.send({ path: "/webhooks/signed", body, headers }), signed);
      assert.equal((await place.kept()).length, signed === 200 ? 1 : 0);
      assert.equal(names(place, "error"), signed === 500);
    },

    async "a GET, an empty body and a content type of its own are as exact as ever"(place) {
      const { send, kept } = place;
      expectAnswer(await send({ path: `${radio}?event=Prize.created&webhookCallId=1` }), 200);
      expectAnswer(await send({ path: jobs, body: "", headers: [json] }), 200);
      const own = [["content-type", "application/x-own"]] as const;
      expectAnswer(await send({ path: jobs, body, headers: own }), 200);
      assert.deepEqual(
        (await kept()).map(({ event }) => event.notes),
        [[], [], []],
      );
    },
  };
}
