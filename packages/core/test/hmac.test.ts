import { createHmac } from "node:crypto";
import { createInbox, defineProvider, hmac, type Clock, type Hmac } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { describe, expect, test } from "vitest";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { ask, serve } from "../../../tests/support/served.ts";

/** Serves a provider that signs so; answers the status of a delivery. */
async function signedDesk(signature: Hmac, secret: string | readonly string[], now = 0) {
  const provider = defineProvider({
    name: "signer",
    auth: ["secret"],
    signature: hmac(signature),
    methods: ["POST"],
    habits: { redelivers: "automatic", bodyStable: true },
    events: {},
    identify: () => ({ kind: "events", events: [{ id: undefined, type: "any" }] }),
    parse: ({ body }) => Buffer.from(body).toString(),
  });
  const clock: Clock = { now: () => now, after: () => () => undefined };
  const log = rememberingLogger();
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { signer: provider({ secret }) },
    work: false,
    logger: log.logger,
    clock,
  });
  const served = await serve(inbox);
  return {
    inbox,
    /** Diagnoses of what was refused, as the operator sees them. */
    diagnoses: () =>
      log.lines.flatMap(({ fields }) =>
        "receipt" in fields ? [(fields.receipt as { diagnosis?: object }).diagnosis] : [],
      ),
    status: async (body: string, headers: Readonly<Record<string, string | string[]>>) =>
      (await ask(served, "/webhooks/signer", { body, headers })).status,
  };
}

const github: Hmac = {
  algorithm: "sha256",
  header: "x-hub-signature-256",
  encoding: "hex",
  prefix: "sha256=",
};
const slack: Hmac = {
  algorithm: "sha256",
  header: "x-slack-signature",
  encoding: "hex",
  prefix: "v0=",
  reads: ["x-slack-request-timestamp"],
  timestamp: { of: ({ header }) => header("x-slack-request-timestamp"), unit: "s" },
  content: ({ body, header }) => [`v0:${header("x-slack-request-timestamp")}:`, body],
};
const standard: Hmac = {
  algorithm: "sha256",
  header: "webhook-signature",
  encoding: "base64",
  prefix: "v1,",
  key: "base64",
  reads: ["webhook-timestamp"],
  timestamp: { of: ({ header }) => header("webhook-timestamp"), unit: "s" },
  content: ({ body, header }) => [`${header("webhook-id")}.${header("webhook-timestamp")}.`, body],
};

describe("published vectors", () => {
  test("GitHub, page 'Validating webhook deliveries'", async () => {
    const { status } = await signedDesk(github, "It's a Secret to Everybody");
    const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    expect(await status("Hello, World!", { "x-hub-signature-256": good })).toBe(200);
    expect(await status("Hello, World?", { "x-hub-signature-256": good })).toBe(401);
  });

  test("Slack, page 'Verifying requests from Slack'", async () => {
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const headers = {
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "x-slack-request-timestamp": "1531420618",
    };
    const secret = "8f742231b10e8888abcd99yyyzzz85a5";
    const { status } = await signedDesk(slack, secret, 1_531_420_618_000);
    expect(await status(body, headers)).toBe(200);
  });

  test("Standard Webhooks, its specification", async () => {
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const { status } = await signedDesk(standard, secret, 1_614_265_330_000);
    expect(await status('{"test": 2432232314}', headers)).toBe(200);
    expect(await status('{"test": 2432232314}', { ...headers, "webhook-id": "msg_other" })).toBe(
      401,
    );
  });
});

describe("a signature", () => {
  const header = "x-hub-signature-256";
  const sign = (body: string, secret: string, algorithm = "sha256"): string =>
    createHmac(algorithm, secret).update(body).digest("hex");
  const good = sign("{}", "new");

  test("of any of the secrets is accepted, and the one that matched is kept", async () => {
    const { status, inbox } = await signedDesk(github, ["new", "old"]);
    expect(await status("{}", { [header]: `sha256=${sign("{}", "old")}` })).toBe(200);
    const { events } = await inbox.list();
    const kept = await inbox.get(events[0]?.key ?? "");
    expect(kept?.delivery?.verifiedWith).toBe("secret#2");
    expect(JSON.stringify(kept?.delivery?.headers)).not.toContain(sign("{}", "old"));
  });

  test("in upper case is the same bytes", async () => {
    const { status } = await signedDesk(github, "new");
    expect(await status("{}", { [header]: `sha256=${good.toUpperCase()}` })).toBe(200);
  });

  const bad: readonly (readonly [what: string, value: string, code: string])[] = [
    ["an empty one", "", "missing"],
    ["the prefix alone", "sha256=", "malformed"],
    ["without its prefix", good, "malformed"],
    ["another prefix", `sha1=${good}`, "malformed"],
    ["zeros", `sha256=${"0".repeat(64)}`, "mismatch"],
    ["a bit off", `sha256=${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`, "mismatch"],
    ["its first half", `sha256=${good.slice(0, 32)}`, "malformed"],
    ["something after it", `sha256=${good}zz`, "malformed"],
    ["letters that are no hex", `sha256=${"z".repeat(64)}`, "malformed"],
    ["another secret's", `sha256=${sign("{}", "other")}`, "mismatch"],
    ["another algorithm's", `sha256=${sign("{}", "new", "sha1")}`, "malformed"],
    ["over other bytes", `sha256=${sign("{} ", "new")}`, "mismatch"],
  ];
  for (const [what, value, code] of bad) {
    test(`${what}: 401, and the operator sees ${code}`, async () => {
      const { status, diagnoses, inbox } = await signedDesk(github, "new");
      expect(await status("{}", { [header]: value })).toBe(401);
      expect(diagnoses()).toMatchObject([{ code, credential: "signature" }]);
      expect((await inbox.list()).events).toEqual([]);
    });
  }

  test("base64 is read strictly", async () => {
    const { status } = await signedDesk({ ...github, encoding: "base64", prefix: "" }, "new");
    const right = createHmac("sha256", "new").update("{}").digest("base64");
    expect(await status("{}", { [header]: right })).toBe(200);
    for (const value of [right.replace("=", ""), `${right}=`, `!${right}`, right.toLowerCase()]) {
      expect(await status("{}", { [header]: value })).toBe(401);
    }
  });

  test("twice in the head: 400", async () => {
    const { status } = await signedDesk(github, "new");
    expect(await status("{}", { [header]: [`sha256=${good}`, "sha256=x"] })).toBe(400);
  });
});

describe("a signed time", () => {
  const now = 1_700_000_000_000;
  const secret = "s";
  async function at(timestamp: string, signedAs = timestamp) {
    const { status, diagnoses } = await signedDesk(slack, secret, now);
    const signature = createHmac("sha256", secret).update(`v0:${signedAs}:{}`).digest("hex");
    const headers = {
      "x-slack-signature": `v0=${signature}`,
      "x-slack-request-timestamp": timestamp,
    };
    return { status: await status("{}", headers), diagnosis: diagnoses()[0] };
  }

  test("within five minutes either way is fine", async () => {
    for (const seconds of [-300, -299, 0, 299, 300]) {
      expect((await at(String(now / 1000 + seconds))).status).toBe(200);
    }
  });

  test("beyond them is stale, and the operator sees by how much", async () => {
    const late = await at(String(now / 1000 - 301));
    expect(late).toEqual({
      status: 401,
      diagnosis: { code: "stale", credential: "timestamp", skewMs: 301_000 },
    });
    expect((await at(String(now / 1000 + 301))).diagnosis).toMatchObject({ skewMs: -301_000 });
  });

  test("that is no whole number of seconds is malformed, even if it is signed", async () => {
    for (const text of ["1e9", "0x10", `${now / 1000}.5`, "Infinity", "-1", "9".repeat(20)]) {
      expect((await at(text)).diagnosis).toMatchObject({ code: "malformed" });
    }
  });

  test("that was changed after signing is a mismatch", async () => {
    const other = await at(String(now / 1000), String(now / 1000 - 1000));
    expect(other.diagnosis).toMatchObject({ code: "mismatch" });
  });
});
