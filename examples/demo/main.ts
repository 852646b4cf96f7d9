/**
 * The demo: starts the Express example on a free port with SQLite, sends it what the three providers document, as they
 * would, then kills it in the middle of the work. Says what was answered, stored and handled; ends by itself, with exit
 * code 0 if every promise was kept.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  audataExample,
  audataExampleAsPrinted,
  audataGet,
  audataPost,
  audataQueries,
  captainDataDelivery,
  captainDataExamples,
  send,
  socialDataDelivery,
  socialDataErrorExample,
  socialDataExample,
  type OutgoingDelivery,
} from "@webhook-inbox/testing/senders";
import { startApplication, type Application } from "./application.ts";
import { expectThat, heading, note, row, verdict } from "./report.ts";

const tokens = {
  SOCIALDATA_TOKEN: "demo-social",
  AUDATA_TOKEN: "demo-audata",
  CAPTAIN_DATA_TOKEN: "demo-captain",
};
const captainHeaders = { Authorization: `Bearer ${tokens.CAPTAIN_DATA_TOKEN}` };

const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-demo-"));
const environment = { ...tokens, DATABASE: join(directory, "webhooks.sqlite"), PORT: "0" };

/** Sends one delivery, waits until nothing is due, and says what became of it. */
async function show(
  app: Application,
  what: string,
  delivery: OutgoingDelivery,
  expected: { readonly status: number; readonly stored: string },
): Promise<void> {
  const before = app.handled.length;
  const known = new Set((await app.events()).map(({ key }) => key));
  const { status } = await send(delivery);
  await app.quiet();
  const fresh = (await app.events()).filter(({ key }) => !known.has(key));
  const stored = fresh
    .map(({ state, reason }) => (reason ? `${state} (${reason})` : state))
    .join(", ");
  row(what, status, stored || "nothing new", app.handled.slice(before).join("; "));
  expectThat(status === expected.status, `${what} is answered ${expected.status}`);
  expectThat(
    (stored || "nothing new") === expected.stored,
    `${what} is stored: ${expected.stored}`,
  );
}

/** What is pasted into each provider's settings. */
function addressesOf({ url }: Application): {
  readonly job: string;
  readonly radio: string;
  readonly runs: string;
} {
  return {
    job: `${url}/webhooks/socialdata/${tokens.SOCIALDATA_TOKEN}`,
    radio: `${url}/webhooks/audata/${tokens.AUDATA_TOKEN}`,
    runs: `${url}/webhooks/captain-data`,
  };
}

async function documented(app: Application): Promise<void> {
  const { job, radio, runs } = addressesOf(app);
  const { succeeded, failed } = captainDataExamples;
  const done = { status: 200, stored: "done" };
  heading("Each documented webhook", ["answer", "stored", "handled"]);
  await show(
    app,
    "SocialData job_finished, success",
    socialDataDelivery(job, socialDataExample),
    done,
  );
  await show(
    app,
    "SocialData job_finished, error",
    socialDataDelivery(job, socialDataErrorExample),
    done,
  );
  await show(app, "Audata Listener.updated by POST", audataPost(radio, audataExample), done);
  // A call of its own has an id of its own.
  const query = audataQueries["Rails to_query"].replace("2ae54ecb", "3bf65fdc");
  await show(app, "Audata Listener.updated by GET", audataGet(radio, query), done);
  await show(
    app,
    "Captain Data Succeeded",
    captainDataDelivery(`${runs}/succeeded`, succeeded, captainHeaders),
    done,
  );
  await show(
    app,
    "Captain Data Failed",
    captainDataDelivery(`${runs}/failed`, failed, captainHeaders),
    done,
  );
}

async function odd(app: Application): Promise<void> {
  const { job, radio, runs } = addressesOf(app);
  heading("What else happens", ["answer", "stored", "handled"]);
  const again = { status: 200, stored: "nothing new" };
  await show(
    app,
    "SocialData's success again: a duplicate",
    socialDataDelivery(job, socialDataExample),
    again,
  );
  const printed = audataPost(radio, audataExampleAsPrinted);
  const kept = { status: 200, stored: "quarantined (unparsable)" };
  await show(app, "Audata's example as printed: not JSON", printed, kept);
  const wrong = `${app.url}/webhooks/socialdata/wrong-token`;
  const refused = { status: 401, stored: "nothing new" };
  await show(
    app,
    "SocialData with a wrong token",
    socialDataDelivery(wrong, socialDataExample),
    refused,
  );
  const bearer = captainDataDelivery(runs, captainDataExamples.failed, {
    Authorization: "Bearer wrong",
  });
  await show(app, "Captain Data with a wrong header", bearer, refused);
}

const burst = 400;
const killAfter = 200;
const connections = 40;
const roundsMax = 5;

interface Killed {
  /** The application, started again. */
  readonly app: Application;
  /** Events that were unfinished when it was killed. */
  readonly left: number;
}

/** Sends many deliveries at once, kills the process while they are answered, and accounts for each that was. */
async function killed(app: Application, round: number): Promise<Killed> {
  heading("kill -9 in the middle");
  const { radio } = addressesOf(app);
  const acknowledged: string[] = [];
  let next = 0;
  const connection = async (): Promise<void> => {
    while (next < burst && acknowledged.length < killAfter) {
      const id = `demo-call-${round}-${next++}`;
      const call = { event: "Listener.updated", sender_id: 7, station: "demo", webhookCallId: id };
      const { status } = await send(audataPost(radio, { ...call, sender: { id: 7 } }));
      if (status === 200) acknowledged.push(id);
      // In the same turn as an answer comes in: its event is on disk, and its handler at its beginning.
      if (acknowledged.length === killAfter) app.kill();
    }
  };
  await Promise.allSettled(Array.from({ length: connections }, connection));
  await app.ended();
  const left = (await app.events()).filter(
    ({ state }) => state === "pending" || state === "running",
  );
  note(`the process was killed after ${acknowledged.length} deliveries had been answered 200`);
  note(`${left.length} events were in its hands or waiting, unfinished`);

  const restarted = await startApplication(environment);
  await restarted.quiet();
  const states = new Map((await restarted.events()).map(({ id, state }) => [id, state]));
  const lost = acknowledged.filter((id) => !states.has(id));
  const unhandled = acknowledged.filter((id) => states.get(id) !== "done");
  note(`started again on the same file, it handled ${restarted.handled.length} that were left`);
  note(
    `acknowledged: ${acknowledged.length}   lost: ${lost.length}   not handled: ${unhandled.length}`,
  );
  expectThat(
    acknowledged.length >= killAfter,
    `at least ${killAfter} deliveries were acknowledged`,
  );
  expectThat(lost.length === 0, "nothing that was acknowledged is lost");
  expectThat(unhandled.length === 0, "everything that was acknowledged is handled");
  return { app: restarted, left: left.length };
}

const began = performance.now();
note("an Express application (examples/express/main.ts) with SQLite, on a free port");
let app = await startApplication(environment);
try {
  await documented(app);
  await odd(app);
  // Should everything have been finished at that very moment, nothing was shown: once more.
  for (let round = 1, left = 0; left === 0 && round <= roundsMax; round++) {
    ({ app, left } = await killed(app, round));
  }
} finally {
  app.kill();
  await app.ended();
  rmSync(directory, { recursive: true });
}
process.exitCode = verdict(performance.now() - began);
