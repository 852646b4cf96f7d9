import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInbox, type Sources } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { nodeHandler, type NodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { clerk } from "@webhook-inbox/core/providers/clerk";
import { discord } from "@webhook-inbox/core/providers/discord";
import { github } from "@webhook-inbox/core/providers/github";
import { linear } from "@webhook-inbox/core/providers/linear";
import { mailgun } from "@webhook-inbox/core/providers/mailgun";
import { meta } from "@webhook-inbox/core/providers/meta";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { shopify } from "@webhook-inbox/core/providers/shopify";
import { slack } from "@webhook-inbox/core/providers/slack";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { command } from "./desk.ts";

/** An inbox that knows by which URL it is called, which Twilio signs. */
async function receiver(source: Sources[string]) {
  const handlers: NodeHandler[] = [];
  const served = await listen((incoming, outgoing) => handlers[0]?.(incoming, outgoing));
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { it: source },
    logger: false,
    publicUrl: served.url,
  });
  handlers.push(nodeHandler(inbox));
  onTestFinished(() => inbox.close());
  return { inbox, url: served.url };
}

const ed25519 = generateKeyPairSync("ed25519");
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const derOf = (key: typeof ed25519.publicKey): Buffer =>
  key.export({ format: "der", type: "spki" });

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLlSw";

describe("the first three need no body of your own", () => {
  const cases = [
    ["socialdata", () => socialData({ token: "t" }), [], "7", "job:7:success"],
    ["audata", () => audata({ token: "t" }), [], "a-call", "a-call"],
    ["audata", () => audata({ token: "t" }), ["--get"], "a-call", "a-call"],
  ] as const;
  test.each(cases)("%s, each time about something else, or by its id", async (...row) => {
    const [provider, source, more, given, id] = row;
    const { inbox, url } = await receiver(source());
    const args = ["send", provider, `${url}/webhooks/it/t`, ...more];
    for (const own of [[], [], ["--id", given], ["--id", given]]) {
      const sent = await command([...args, ...own]);
      expect(sent).toEqual({ code: 0, out: "200 ok\n", err: "", bytes: expect.anything() });
    }
    const { events } = await inbox.list();
    expect(events).toMatchObject([{ id, duplicates: 1 }, { duplicates: 0 }, { duplicates: 0 }]);
    expect(events.map(({ type }) => type)).not.toContain("unknown");
  });

  test("captain-data, with its bearer token from the environment", async () => {
    const { inbox, url } = await receiver(captainData({ bearer: "b34rer" }));
    const args = ["send", "captain-data", `${url}/webhooks/it`];
    const env = { CAPTAIN: "b34rer" };
    expect((await command([...args, "--secret-env", "CAPTAIN"], { env })).code).toBe(0);
    expect((await inbox.list()).events).toMatchObject([{ type: "job.succeeded" }]);
    const refused = await command(args);
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/^401 /);
    expect(refused.err).toBe(
      "the receiver did not take it. Its bearer token is read from the variable WEBHOOK_SECRET, which is not set.\n",
    );
  });
});

describe("signed with a secret of the environment", () => {
  const signers: Readonly<Record<string, readonly [() => Sources[string], ...string[]]>> = {
    clerk: [() => clerk({ secret })],
    github: [() => github({ secret }), "--event", "push"],
    linear: [() => linear({ secret })],
    mailgun: [() => mailgun({ secret })],
    meta: [() => meta({ secret })],
    shopify: [() => shopify({ secret }), "--event", "orders/create"],
    slack: [() => slack({ secret })],
    "standard-webhooks": [() => standardWebhooks({ secret })],
    stripe: [() => stripe({ secret })],
    twilio: [() => twilio({ secret })],
  };
  test.each(Object.entries(signers))("%s is taken, and not with another one", async (name, row) => {
    const [source, ...more] = row;
    const { inbox, url } = await receiver(source());
    const body = temporaryFile("body.json");
    writeFileSync(body, '{"id":"evt_1","type":"happened","object":"event"}');
    const args = ["send", name, `${url}/webhooks/it`, "--body", body, ...more];
    const taken = await command(args, { env: { WEBHOOK_SECRET: secret } });
    expect(taken).toMatchObject({ code: 0, out: expect.stringMatching(/^20\d/) });
    expect((await inbox.list()).events).toHaveLength(1);
    const other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    expect((await command(args, { env: { WEBHOOK_SECRET: other } })).out).toMatch(/^401 /);
    const without = await command(args);
    expect(without).toMatchObject({ code: 2, out: "" });
    expect(without.err).toContain("in the variable WEBHOOK_SECRET");
  });
});

test.each([
  [
    "discord",
    () => discord({ publicKey: derOf(ed25519.publicKey).subarray(-32).toString("hex") }),
    ed25519,
  ],
  ["sendgrid", () => sendgrid({ publicKey: derOf(p256.publicKey).toString("base64") }), p256],
] as const)("%s is signed with a private key from a file", async (name, source, { privateKey }) => {
  const { inbox, url } = await receiver(source());
  const folder = dirname(temporaryFile());
  writeFileSync(join(folder, "key.pem"), privateKey.export({ format: "pem", type: "pkcs8" }));
  writeFileSync(join(folder, "body.json"), '[{"sg_event_id":"1","event":"open"}]');
  const args = ["send", name, `${url}/webhooks/it`, "--body", "body.json", "--key-file", "key.pem"];
  const sent = await command(args, { cwd: folder });
  expect(sent).toMatchObject({ code: 0, out: expect.stringMatching(/^20\d/) });
  expect((await inbox.list()).events).toHaveLength(1);
});

test("an answer that is a page is not printed as one", async () => {
  const page = `<!doctype html>\n<p>Cannot POST ${"x".repeat(1000)}</p>`;
  const { url } = await listen((_req, res) => void res.writeHead(404).end(page));
  const sent = await command(["send", "socialdata", `${url}/webhooks/it/t`]);
  expect(sent).toMatchObject({
    code: 1,
    out: "404 <!doctype html> …\n",
    err: "the receiver did not take it. Nobody receives at this path.\n",
  });
});

test("what is wrong is said before anything is sent, and that nobody answers", async () => {
  const latin1 = temporaryFile("latin1.json");
  writeFileSync(latin1, Buffer.from('{"name":"Zoë"}', "latin1"));
  const wrong: readonly (readonly [number, RegExp, ...string[]])[] = [
    [2, /nobody here plays paypal\. There are: socialdata/, "paypal", "http://127.0.0.1:1"],
    [2, /must be a URL/, "socialdata", "nowhere"],
    [2, /must be a URL/, "socialdata", "localhost:4102"],
    [2, /a SocialData job is a number/, "socialdata", "http://127.0.0.1:1", "--id", "x"],
    [2, /stripe needs a body/, "stripe", "http://127.0.0.1:1"],
    [3, /body cannot be read/, "stripe", "http://127.0.0.1:1", "--body", "nowhere.json"],
    [1, /no UTF-8 text/, "stripe", "http://127.0.0.1:1", "--body", latin1],
    [1, /there was no answer: .*ECONNREFUSED/, "socialdata", "http://127.0.0.1:65533"],
  ];
  for (const [code, says, ...args] of wrong) {
    const ended = await command(["send", ...args]);
    expect(ended.err).toMatch(says);
    expect(ended).toMatchObject({ code, out: "" });
  }
});
