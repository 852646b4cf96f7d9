/** The edges of what is believed: each is held by one check. */

import { createHmac, generateKeyPairSync } from "node:crypto";
import { createInbox, type Source } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { meta } from "@webhook-inbox/core/providers/meta";
import { sendgrid } from "@webhook-inbox/core/providers/sendgrid";
import { sns } from "@webhook-inbox/core/providers/sns";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { twilio } from "@webhook-inbox/core/providers/twilio";
import { sign, testCertificate, testFetch } from "@webhook-inbox/testing/sign";
import { describe, expect, test } from "vitest";
import { signedDesk, url } from "../../../tests/support/signed-desk.ts";

const now = 1_750_000_000_000;
const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Runs with an environment variable set. */
async function withVariable(name: string, value: string, run: () => Promise<void> | void) {
  const before = process.env[name];
  process.env[name] = value;
  try {
    await run();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}
const start =
  (source: Source): (() => unknown) =>
  () =>
    createInbox({ store: memory({ acceptLoss: true }), sources: { p: source } });

describe("a start", () => {
  test("needs a publicUrl where the URL is signed", () => {
    expect(start(twilio({ secret: "t" }))).toThrow("publicUrl");
    for (const publicUrl of ["hooks.example.com", "ftp://x", "https://x/?a=1", ""]) {
      const options = {
        store: memory({ acceptLoss: true }),
        sources: { p: twilio({ secret: "t" }) },
      };
      expect(() => createInbox({ ...options, publicUrl })).toThrow("publicUrl");
    }
  });

  test("takes no token from the environment in place of a signature", async () => {
    await withVariable("WEBHOOK_INBOX_TOKEN", "t", () =>
      withVariable("NODE_ENV", "production", () => {
        expect(start(stripe())).toThrow("has no credential");
        expect(start(socialData())).not.toThrow();
      }),
    );
  });

  test("refuses a key of another kind, and a private one", () => {
    const ed25519 = generateKeyPairSync("ed25519");
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const spki = { type: "spki", format: "pem" } as const;
    expect(start(sendgrid({ publicKey: ec.publicKey.export(spki).toString() }))).not.toThrow();
    for (const key of [
      ed25519.publicKey.export(spki).toString(),
      rsa.publicKey.export(spki).toString(),
      ec.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      "nonsense",
    ]) {
      expect(start(sendgrid({ publicKey: key }))).toThrow("is no public key");
    }
    const oneLine = ec.publicKey
      .export(spki)
      .toString()
      .trim()
      .replaceAll("\n", String.raw`\n`);
    expect(start(sendgrid({ publicKey: oneLine }))).not.toThrow();
  });

  test("refuses more secrets than any rotation has", () => {
    expect(start(stripe({ secret: Array.from({ length: 33 }, (_, n) => `s${n}`) }))).toThrow(
      "more than",
    );
  });
});

test("a signature of SocialData without its time is none, also where it may be left out", async () => {
  const { deliver, diagnoses } = await signedDesk(socialData({ token: "t", secret: "s3cret" }));
  const body = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
  const mac = createHmac("sha256", "s3cret").update(`id..${body}`).digest("hex");
  const headers = { "x-event-id": "id", "x-signature": `v1=${mac}` };
  expect((await deliver({ url: `${url}/t`, body, headers })).status).toBe(401);
  expect(diagnoses()).toEqual([{ code: "missing", credential: "timestamp" }]);
});

test("a large body that cannot be read is refused where nobody is proved", async () => {
  const { deliver, states } = await signedDesk(socialData({ auth: "none" }));
  expect((await deliver({ body: "x".repeat(300_000) })).status).toBe(400);
  expect(await states()).toEqual([]);
});

test("of two families of headers the specification's own is read, with its id", async () => {
  const { deliver, handled } = await signedDesk(standardWebhooks({ secret: whsec }));
  const body = { type: "a" };
  const own = sign.standardWebhooks({ url, body, secret: whsec, id: "own" });
  const svix = sign.standardWebhooks({ url, body, secret: whsec, id: "svix", family: "svix" });
  await deliver({ ...own, headers: { ...svix.headers, ...own.headers } });
  expect(handled.map(({ id }) => id)).toEqual(["own"]);
});

test("a verify token that does not hold any more answers nobody", async () => {
  const source = meta({ secret: "s", verifyToken: { value: "v", notAfter: now } });
  const { deliver, at } = await signedDesk(source, { now });
  const asked = `${url}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=v`;
  expect((await deliver({ method: "GET", url: asked })).status).toBe(200);
  at(now + 1);
  expect((await deliver({ method: "GET", url: asked })).status).toBe(401);
});

describe("a certificate", () => {
  const topicArn = "arn:aws:sns:us-east-1:123456789012:t";
  const genuine = sign.sns({ url, topicArn, body: { Type: "Notification", Message: "m" } });
  const withUrl = (change: (at: string) => string) => {
    const message = JSON.parse(genuine.body ?? "") as Record<string, string>;
    const SigningCertURL = change(message["SigningCertURL"] ?? "");
    return { ...genuine, body: JSON.stringify({ ...message, SigningCertURL }) };
  };

  test("larger than any is none", async () => {
    const { deliver } = await signedDesk(sns({ topicArn }), {
      fetch: () => Promise.resolve(new Response(testCertificate + " ".repeat(20_000))),
    });
    expect((await deliver(genuine)).status).toBe(503);
  });

  test("is not asked for with credentials, or at an endless name", async () => {
    let asked = 0;
    const { deliver } = await signedDesk(sns({ topicArn }), {
      fetch: (input, init) => {
        asked += 1;
        return testFetch(input, init);
      },
    });
    for (const change of [
      (at: string) => at.replace("https://", "https://user:password@"),
      (at: string) => at.replace("https://", "https://user@"),
      (at: string) => at.replace(".com/", `.com/${"./".repeat(300)}`),
    ]) {
      expect((await deliver(withUrl(change))).status).toBe(401);
    }
    expect(asked).toBe(0);
  });

  test("does not hold before its time", async () => {
    const { deliver } = await signedDesk(sns({ topicArn }), {
      fetch: testFetch,
      now: Date.parse("2009-01-01"),
    });
    expect((await deliver(genuine)).status).toBe(401);
  });
});

test("keys that cannot be fetched are said to the operator, by their source", async () => {
  const source = stripe({ secret: () => Promise.reject(new Error("away")) });
  const { deliver, signals, lines } = await signedDesk(source, { now });
  await deliver(sign.stripe({ url, body: {}, secret: "x" }));
  expect(signals.filter(({ kind }) => kind === "keys_failed")).toMatchObject([{ source: "p" }]);
  expect(lines.some(({ level }) => level === "error")).toBe(true);
});
