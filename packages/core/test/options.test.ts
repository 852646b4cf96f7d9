import {
  createInbox,
  defineProvider,
  hmac,
  type ErrorCode,
  type InboxOptions,
} from "@webhook-inbox/core";
import { inboxFrom } from "@webhook-inbox/core/defaults";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { stripe } from "@webhook-inbox/core/providers/stripe";
import { afterEach, describe, expect, test, vi } from "vitest";

const store = memory({ acceptLoss: true });
const socialdata = socialData({ token: "t" });

afterEach(() => vi.unstubAllEnvs());

/** Options as somebody without types could write them. */
function create(options: unknown): unknown {
  return createInbox(options as InboxOptions<{ socialdata: typeof socialdata }>);
}

function expectError(make: () => unknown, code: ErrorCode, says: string): void {
  expect(make).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(says) as string }),
  );
}

describe("credentials", () => {
  const unusable: readonly (readonly [what: string, secret: unknown, says: string])[] = [
    ["an unset variable", undefined, "is undefined"],
    ["null", null, "is null"],
    ["no text", "", "is empty"],
    ["blanks", "  ", "is empty"],
    ["an empty list", [], "empty list"],
    ["a list with an unset variable", ["a", undefined], "token[1] is undefined"],
    ["a list with an empty text", ["a", ""], "is empty"],
    ["the key that SocialData uses when none is set", "NULL", "looks like an unset variable"],
    ["a template of an unset variable", "prefix-undefined", "looks like an unset variable"],
    ["a template of null", "null", "looks like an unset variable"],
    ["a number", 42, "is number"],
    ["what a URL cannot carry", "a/b", "do not travel"],
  ];
  for (const [what, token, says] of unusable) {
    test(`${what} stops the start, and names the source and what to do`, () => {
      const source = socialData({ token: token as string });
      expectError(() => create({ store, sources: { jobs: source } }), "CREDENTIAL_INVALID", says);
      expectError(
        () => create({ store, sources: { jobs: source } }),
        "CREDENTIAL_INVALID",
        'source "jobs": token',
      );
      // Switching the proof off is no advice for a secret that is there and cannot be one.
      const advises =
        what === "what a URL cannot carry" ? "for several, give a list" : 'auth: "none"';
      expectError(
        () => create({ store, sources: { jobs: source } }),
        "CREDENTIAL_INVALID",
        advises,
      );
    });
  }

  test("bearer, basic and static headers are checked alike", () => {
    const sources: readonly (readonly [ReturnType<typeof captainData>, string])[] = [
      [captainData({ bearer: undefined }), "bearer is undefined"],
      [captainData({ headers: {} }), "names no header"],
      [captainData({ headers: { "x-key": undefined } }), 'headers["x-key"] is undefined'],
      [captainData({ headers: { "x key": "v" } }), "impossible header name"],
      [captainData({ headers: { "x-key": "v\n" } }), "do not travel"],
      [captainData({ basic: { user: "a:b", password: "p" } }), "without a colon"],
      [captainData({ basic: { user: "a", password: "" } }), "basic.password is empty"],
    ];
    for (const [source, says] of sources) {
      expectError(() => create({ store, sources: { c: source } }), "CREDENTIAL_INVALID", says);
    }
  });

  test("an API key in the place of a signing secret is told from it", () => {
    for (const secret of ["sk_live_51x", "sk_test_51x", "rk_live_51x", "pk_test_51x"]) {
      const source = stripe({ secret });
      const says = "secret is an API key; the signing secret stands with the webhook endpoint";
      expectError(() => create({ store, sources: { s: source } }), "CREDENTIAL_INVALID", says);
    }
    create({ store, sources: { s: stripe({ secret: "whsec_51x" }) } });
  });

  test("a secret that proves nothing stops the start", () => {
    const base = {
      name: "own",
      auth: ["secret"] as const,
      methods: ["POST"] as const,
      habits: { redelivers: "automatic", bodyStable: true } as const,
      events: {},
      identify: () => ({ kind: "nothing" }) as const,
      parse: () => undefined,
    };
    const signed = { algorithm: "sha256", header: "x-signature", encoding: "hex" } as const;
    const signature = hmac(signed);
    const unsigned = defineProvider(base);
    expectError(
      () => create({ store, sources: { a: unsigned({ secret: "s" }) } }),
      "OPTION_INVALID",
      "has no signature",
    );
    const byGet = defineProvider({ ...base, methods: ["GET"], signature });
    expectError(
      () => create({ store, sources: { a: byGet({ secret: "s" }) } }),
      "OPTION_INVALID",
      "no body to sign",
    );
    const coded = defineProvider({ ...base, signature: hmac({ ...signed, key: "base64" }) });
    for (const secret of ["!", "====", "whsec_c2VjcmV0", "c2VjcmV0\n"]) {
      expectError(
        () => create({ store, sources: { a: coded({ secret }) } }),
        "CREDENTIAL_INVALID",
        "is not the text of a key",
      );
    }
    expect(() => create({ store, sources: { a: coded({ secret: "c2VjcmV0" }) } })).not.toThrow();
  });

  test("no secret is in the message", () => {
    const source = socialData({ token: ["hush-hush", "bad/hush"] });
    expect(() => create({ store, sources: { source } })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("hush") as string }),
    );
  });

  test("none at all stops the start in production, and names the variable to set", () => {
    vi.stubEnv("NODE_ENV", "production");
    const sources = { "captain-data": captainData() };
    expectError(
      () => create({ store, sources }),
      "CREDENTIAL_MISSING",
      "WEBHOOK_INBOX_TOKEN_CAPTAIN_DATA",
    );
    expect(() => create({ store, sources: { a: audata({ auth: "none" }) } })).not.toThrow();
    vi.stubEnv("WEBHOOK_INBOX_TOKEN", "t");
    expect(() => create({ store, sources })).not.toThrow();
  });

  test("an empty variable stops the start", () => {
    vi.stubEnv("WEBHOOK_INBOX_TOKEN_A", "t,");
    expectError(
      () => create({ store, sources: { a: audata() } }),
      "CREDENTIAL_INVALID",
      "empty secret",
    );
  });

  test('auth: "none" beside a credential, or another word, is refused', () => {
    const both = audata({ auth: "none", token: "t" });
    expectError(
      () => create({ store, sources: { both } }),
      "OPTION_INVALID",
      "Leave one of them out",
    );
    const odd = audata({ auth: "off" as "none" });
    expectError(
      () => create({ store, sources: { odd } }),
      "OPTION_INVALID",
      'auth can only be "none"',
    );
  });
});

describe("options", () => {
  const sources = { socialdata };
  const wrong: readonly (readonly [options: unknown, says: string])[] = [
    [{ sources }, "store is missing"],
    [{ store }, "sources names none"],
    [{ store, sources: {} }, "sources names none"],
    [{ store, sources, stores: 1 }, 'there is no option "stores"'],
    [{ store, sources, limits: { bodyMax: 1 } }, 'limits: there is no option "bodyMax"'],
    [{ store, sources, limits: { bodyBytesMax: 0 } }, "limits.bodyBytesMax must be"],
    [{ store, sources, limits: { bodyBytesMax: "1mb" } }, "limits.bodyBytesMax must be"],
    [{ store, sources, limits: { handlersMax: Number.NaN } }, "limits.handlersMax must be"],
    [{ store, sources, retry: { delaysMs: [-1] } }, "retry.delaysMs must be"],
    [{ store, sources, retry: { times: 3 } }, 'retry: there is no option "times"'],
    [{ store, sources, path: "webhooks" }, 'path must look like "/webhooks"'],
    [{ store, sources, path: "/web hooks" }, "path must look like"],
    [{ store, sources, path: "/webhooks/" }, "path must look like"],
    [{ store, sources, work: { sources: ["other"] } }, 'names "other", which is no source'],
    [{ store, sources, work: { leaseMs: 1.5 } }, "work.leaseMs must be"],
    [{ store, sources: { "a/b": socialdata } }, "segment of its URL"],
    [
      { store, sources: { a: socialData({ bearer: "t" } as object) } },
      'there is no option "bearer"',
    ],
    [
      { store, sources: { a: socialData({ token: "t", bodyBytesMax: -1 }) } },
      "bodyBytesMax must be",
    ],
  ];
  for (const [options, says] of wrong) {
    test(`${says}: stops the start`, () => {
      expectError(() => create(options), "OPTION_INVALID", says);
    });
  }

  test("a store that loses events is refused for providers that do not send again", () => {
    expectError(() => create({ store: memory(), sources }), "STORE_LOSSY", "acceptLoss");
    const patient = defineProvider({
      name: "patient",
      auth: ["token"],
      methods: ["POST"],
      habits: { redelivers: "automatic", bodyStable: true },
      events: {},
      identify: () => ({ kind: "nothing" }),
      parse: () => undefined,
    });
    expect(() =>
      create({ store: memory(), sources: { p: patient({ token: "t" }) } }),
    ).not.toThrow();
  });
});

describe("handlers", () => {
  const inbox = () => createInbox({ store, sources: { socialdata }, logger: false });
  const run = (): void => undefined;

  test("an unknown source or type, a second unnamed one, a name twice, and no function are refused", () => {
    const wrong: readonly (readonly [register: () => unknown, says: string])[] = [
      [() => inbox().on("nobody" as "socialdata", "*", run), 'no source "nobody"'],
      [
        () => inbox().on("socialdata", "job_finish" as "*", run),
        'no event type "job_finish". It has: job_finished',
      ],
      [() => inbox().on("socialdata", "toString" as "*", run), "no event type"],
      [() => inbox().on("socialdata", "*", run).on("socialdata", "*", run), "registered"],
      [
        () =>
          inbox()
            .on("socialdata", "*", { name: "a" }, run)
            .on("socialdata", "job_finished", { name: "a" }, run),
        '"a"',
      ],
      [
        () =>
          inbox()
            .on("socialdata", "job_finished", { name: "a" }, run)
            .on("socialdata", "*", { name: "a" }, run),
        '"a"',
      ],
      [() => inbox().on("socialdata", "*", undefined as unknown as typeof run), "no function"],
      [() => inbox().on("socialdata", "*", { timeoutMs: 0 }, run), "timeoutMs"],
    ];
    for (const [register, says] of wrong) expectError(register, "HANDLER_INVALID", says);
  });

  test("an unknown handler in the options is refused too", () => {
    const handlers = { socialdata: { job_finish: run } };
    expectError(
      () => create({ store, sources: { socialdata }, handlers }),
      "HANDLER_INVALID",
      "job_finish",
    );
  });
});

describe("the defaults", () => {
  test("a store URL that is not SQLite's is refused, without its credentials in the message", () => {
    vi.stubEnv("WEBHOOK_INBOX_STORE", "postgres://user:hush@host/db");
    expectError(() => inboxFrom(), "OPTION_INVALID", '"postgres:"');
    expect(() => inboxFrom()).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("hush") as string }),
    );
  });

  test("a lossy setting in the URL is refused", () => {
    vi.stubEnv("WEBHOOK_INBOX_STORE", "sqlite:./x.sqlite?synchronous=normal");
    expectError(() => inboxFrom(), "OPTION_INVALID", "without options");
  });

  test("an inbox passes through as it is", () => {
    const own = createInbox({ store, sources: { socialdata }, logger: false });
    expect(inboxFrom(own)).toBe(own);
  });
});

describe("what is misspelt or of the wrong kind is refused, and named", () => {
  const jobs = socialData({ auth: "none" });
  const plain = { store, sources: { jobs } };
  const wrong: readonly (readonly [options: object, says: string])[] = [
    [{ logger: true }, "logger must be false"],
    [{ logger: { info: () => undefined } }, "logger must be false"],
    [{ logger: () => undefined }, "logger must be false"],
    [{ limits: { handlersMax: 1e9 } }, "at most 10000"],
    [{ onSignal: "x" }, "onSignal must be a function"],
    [{ retention: true }, "retention must be false"],
    [{ retention: { days: 5 } }, 'no option "days"'],
    [{ onUnknownType: "ignore" }, "onUnknownType must be one of unhandled, quarantine"],
    [{ onInvalid: "ignore" }, "onInvalid must be one of quarantine, handle"],
  ];
  for (const [options, says] of wrong) {
    test(says, () => {
      expectError(() => create({ ...plain, ...options }), "OPTION_INVALID", says);
    });
  }

  const retries: readonly (readonly [retry: object, says: string])[] = [
    [{ types: { job_finnished: { delaysMs: [] } } }, 'no option "job_finnished"'],
    [{ types: { job_finished: [1] } }, 'no option "0"'],
    [{ types: { job_finished: { delaysMs: 5 } } }, "must be a list of milliseconds"],
    [{ delayMs: [] }, 'no option "delayMs"'],
  ];
  for (const [retry, says] of retries) {
    test(`retry of a source: ${says}`, () => {
      const sources = { jobs: socialData({ auth: "none", retry }) };
      expectError(() => create({ store, sources }), "OPTION_INVALID", says);
    });
  }

  test("a handler and its options", () => {
    const handler = () => undefined;
    const inbox = createInbox(plain);
    const on = inbox.on.bind(inbox) as (...given: readonly unknown[]) => unknown;
    const refused = (act: () => unknown, says: string) => expectError(act, "HANDLER_INVALID", says);
    refused(() => on("jobs", "*", { timeout: 3 }, handler), 'no option "timeout"');
    refused(() => on("jobs", "*", handler, { name: "x" }), "stand before it");
    refused(() => create({ ...plain, handlers: { jobs: handler as never } }), "handlers by type");
  });
});
