/** Who is let in, what is refused, and what stands in an answer: asked over real sockets. */

import { visibleJson } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { dashboard } from "@webhook-inbox/dashboard";
import { describe, expect, test, vi } from "vitest";
import { ask } from "../../../tests/support/served.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { routes as own } from "../src/routes.ts";
import { assets, matchesOf, type Route } from "../src/site/routes.ts";
import type { Call } from "../src/call.ts";
import { csrf, desk, everything } from "./desk.ts";

/** All that there is. */
const routes: readonly Route<Call>[] = [...own, ...assets];
const roles = ["payloads", "act", "erase"] as const;

describe("who may look", () => {
  test("there is no dashboard without an access function, nor with an option that it does not know", () => {
    const inbox = {} as never;
    for (const options of [undefined, {}, { access: true }]) {
      expect(() => dashboard(inbox, options as never)).toThrow(/needs access/);
    }
    const access = () => undefined;
    expect(() => dashboard(inbox, { access, host: [] } as never)).toThrow(/no option "host"/);
    expect(() => dashboard(inbox, { access, hosts: ["https://x"] })).toThrow(/without scheme/);
    expect(() => dashboard(inbox, { access, hosts: ["[::1]", "ops.example.com"] })).not.toThrow();
  });

  test("whoever access does not know is answered 401 everywhere, and sees nothing", async () => {
    const { fail, get, send, keyOf } = await desk({ access: () => undefined });
    await fail(1);
    const key = await keyOf("dead");
    for (const path of ["/", "/events", `/events/${key}`, "/style.css", "/nowhere"]) {
      const { status, body } = await get(path);
      expect([path, status]).toEqual([path, 401]);
      expect(body).not.toMatch(/socialdata|dead|nowhere/);
    }
    const form = { act: "replay", key, count: "1", more: "no" };
    expect((await send("/act", form)).status).toBe(401);
  });

  test("an answer of access's own is sent as it is, and what it throws is a 500 without a word", async () => {
    const login = await desk({
      access: (request) =>
        request.headers.get("authorization") === null
          ? new Response(null, { status: 302, headers: { location: "/login" } })
          : { by: "ada" },
    });
    const answered = await login.get("/");
    expect([answered.status, answered.headers["location"]]).toEqual([302, "/login"]);
    expect((await login.get("/", { authorization: "x" })).status).toBe(200);
    const broken = await desk({
      access: () => {
        throw new Error("canary");
      },
    });
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const failed = await broken.get("/");
    expect(failed.status).toBe(500);
    expect(failed.body).toContain("see the log of the application");
    expect(said.mock.calls).toEqual([
      [expect.stringMatching(/^\[webhook-inbox\] dashboard: Error at .*dashboard\.test\.ts:/)],
    ]);
    expect(`${failed.body}${String(said.mock.calls)}`).not.toContain("canary");
    said.mockRestore();
  });

  test("every route asks for its role, and gives no more than that", async () => {
    const shop = await desk({
      access: (request) => ({
        by: "ada",
        roles: (request.headers.get("x-roles") ?? "").split(" ") as never,
      }),
    });
    await shop.fail(1);
    const key = await shop.keyOf("dead");
    for (const { method, path, role } of routes) {
      const at = path.replace(":key", key).replace(":id", "none");
      for (const given of ["", ...roles]) {
        const headers = { "x-roles": given };
        const { status } =
          method === "GET" ? await shop.get(at, headers) : await shop.send(at, {}, headers);
        expect([method, path, given, status < 500 && status !== 401]).toEqual([
          method,
          path,
          given,
          true,
        ]);
        const isLetIn = status !== 403;
        expect([method, path, given, isLetIn]).toEqual([
          method,
          path,
          given,
          role === undefined || role === given,
        ]);
      }
    }
  });

  test.each([
    ["replay", "act"],
    ["release", "act"],
    ["verify", "act"],
    ["cancel", "act"],
    ["erase", "erase"],
  ] as const)("%s takes the role %s, to be asked for and to be begun", async (act, needed) => {
    const shop = await desk({
      access: (request) => ({ by: "ada", roles: [request.headers.get("x-role") as never] }),
    });
    await shop.fail(1);
    const key = await shop.keyOf("dead");
    for (const role of roles) {
      const isLetIn = role === needed;
      const headers = { "x-role": role };
      const shown = await shop.get(`/events/${key}`, headers);
      expect(shown.body.includes("/act?act=erase")).toBe(role === "erase");
      const asked = await shop.get(`/act?act=${act}&key=${key}`, headers);
      expect(asked.status).toBe(isLetIn ? 200 : 403);
      const form = { act, key, count: "0", more: "no", phrase: "0" };
      const begun = await shop.send("/act", form, headers);
      expect(begun.status).toBe(isLetIn ? 303 : 403);
    }
  });
});

describe("what is refused", () => {
  test("a name that is not the dashboard's, which is told", async () => {
    const shop = await desk();
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"]) {
      const { status, body } = await shop.get("/", { host });
      expect([host, status]).toEqual([host, 403]);
      expect(body).toContain("hosts: [");
      expect(body).not.toContain("Overview");
    }
    for (const host of ["localhost", "127.0.0.1:1", "[::1]:80"]) {
      expect((await shop.get("/", { host })).status).toBe(200);
    }
    const named = await desk({ hosts: ["ops.example.com"] });
    expect((await named.get("/", { host: "ops.example.com:8443" })).status).toBe(200);
    expect((await named.get("/", { host: "localhost" })).status).toBe(403);
  });

  test.each([
    ["from another site", { origin: "https://evil.example" }],
    ["from another port of this machine", { origin: "http://127.0.0.1:1" }],
    ["from a page that hides where it is", { origin: "null" }],
    ["that a browser says is of another site", { "sec-fetch-site": "cross-site" }],
    ["that a browser says is of a neighbour", { "sec-fetch-site": "same-site" }],
    ["without the cookie", { cookie: "" }],
    ["with the cookie of somebody else", { cookie: `webhook-inbox-csrf=${"b".repeat(64)}` }],
    ["with a cookie that is none", { cookie: "webhook-inbox-csrf=" }],
  ])("a form %s", async (_, headers) => {
    const shop = await desk();
    await shop.fail(1);
    const form = { act: "replay", key: await shop.keyOf("dead"), count: "1", more: "no" };
    expect((await shop.send("/act", form, headers)).status).toBe(403);
    expect((await shop.send("/acts/none/stop", {}, headers)).status).toBe(403);
    expect(await shop.keyOf("dead")).toBe(form.key);
    expect((await shop.send("/act", form)).status).toBe(303);
  });

  test("a form behind a proxy that ends TLS is taken by the name of the dashboard", async () => {
    const shop = await desk({ hosts: ["ops.example.com"] });
    await shop.fail(1);
    const form = { act: "replay", key: await shop.keyOf("dead"), count: "1", more: "no" };
    const headers = { host: "ops.example.com", origin: "https://ops.example.com" };
    const elsewhere = { ...headers, origin: "https://ops.example.com.evil.example" };
    expect((await shop.send("/act", form, elsewhere)).status).toBe(403);
    expect((await shop.send("/act", form, headers)).status).toBe(303);
  });

  test("other methods, with those that there are, and pages that are none", async () => {
    const shop = await desk();
    for (const { method, path } of routes) {
      const at = path.replace(/:\w+/, "x");
      const allowed = matchesOf(routes, at).map(({ route }) => route.method);
      for (const other of ["PUT", "DELETE", "PATCH", "POST", "OPTIONS"]) {
        if (allowed.some((one) => one === other)) continue;
        const { status, headers } = await ask(shop.served, `/admin${at}`, { method: other });
        expect([method, at, other, status, headers["allow"]]).toEqual([
          method,
          at,
          other,
          405,
          allowed.join(", "),
        ]);
      }
    }
    for (const path of [
      "/nowhere",
      "/events/x/y/z",
      "/events/%2e%2e",
      "/events/a.b",
      "//",
      "/acts/",
    ]) {
      const { status } = await shop.get(path);
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
    }
  });

  test.each([
    ["no such act", "/act?act=destroy&key=x", 400],
    ["no events", "/act?act=replay", 400],
    ["a filter without a state", "/act?act=replay&source=shop", 400],
    ["a state that the act is not for", "/act?act=release&state=done", 400],
    ["a state that is none", "/events?state=lost", 400],
    ["a reason that is none", "/events?reason=__proto__", 400],
    ["a time that is none", "/events?from=yesterday", 400],
    ["a cursor that is none", "/events?cursor=zip", 400],
    ["too many keys", `/act?act=replay${"&key=x".repeat(1001)}`, 400],
    ["an event that is not there", "/events/0000000000000000000000000A", 404],
    ["an act that is not there", "/acts/x", 404],
    ["nothing to find", "/find?id=", 400],
  ])("%s, with words", async (_, path, status) => {
    const shop = await desk();
    const answered = await shop.get(path);
    expect(answered.status).toBe(status);
    expect(answered.body).toMatch(/<p role="alert">\s*\S/);
  });

  test("a form that is too large, or no form", async () => {
    const shop = await desk();
    expect((await shop.send("/act", { why: "x".repeat(70_000) })).status).toBe(413);
    const json = { "content-type": "application/json" };
    expect((await shop.send("/act", {}, json)).status).toBe(415);
    expect((await shop.send("/act", { act: "replay", key: "x" })).status).toBe(400);
    const rate = { act: "replay", key: "x", count: "1", more: "no", perSecond: "-1" };
    expect((await shop.send("/act", rate)).status).toBe(400);
  });

  test("what is many, or erased, without the number typed", async () => {
    const shop = await desk();
    await shop.fail(101);
    const many = { act: "replay", state: "dead", count: "101", more: "no" };
    for (const phrase of ["", "100", "all"]) {
      const { status, body } = await shop.send("/act", { ...many, phrase });
      expect(status).toBe(422);
      expect(body).toContain("Nothing was changed.");
    }
    const one = { act: "erase", key: await shop.keyOf("dead"), count: "1", more: "no" };
    expect((await shop.send("/act", one)).status).toBe(422);
    expect((await shop.inbox.list({ state: "dead" })).events).toHaveLength(100);
    expect((await shop.send("/act", { ...many, phrase: "101" })).status).toBe(303);
    expect((await shop.send("/act", { ...one, phrase: "1" })).status).toBe(303);
  });
});

describe("an answer", () => {
  test("has the headers that keep others out, whatever it is", async () => {
    const shop = await desk();
    await shop.fail(1);
    const key = await shop.keyOf("dead");
    const paths = ["", "/", "/events", `/events/${key}`, `/events/${key}/body`, "/style.css", "/x"];
    const answers = await Promise.all([
      ...paths.map((path) => shop.get(path)),
      shop.get("/", { host: "evil.example" }),
      shop.send("/act", { act: "replay", key, count: "1", more: "no" }),
      shop.send("/act", {}, { origin: "https://evil.example" }),
    ]);
    for (const { headers } of answers) {
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none';/);
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|https?:|\*/);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
      });
    }
    expect((await shop.get("/")).headers["set-cookie"]?.[0]).toMatch(
      /^webhook-inbox-csrf=[0-9a-f]{64}; Path=\/admin; HttpOnly; SameSite=Strict$/,
    );
    expect(
      (await shop.get("/", { cookie: `webhook-inbox-csrf=${csrf}` })).headers["set-cookie"],
    ).toBe(undefined);
    const head = await ask(shop.served, "/admin/", { method: "HEAD" });
    expect([head.status, head.body]).toEqual([200, ""]);
  });

  test("has nothing personal and nothing secret without the role, and tells of each look with it", async () => {
    const shop = await desk({
      access: (request) => (request.headers.has("x-all") ? everything : { by: "eve" }),
    });
    const sender = { id: 1, first_name: "canary-name", phone_number: "canary-phone" };
    await shop.post("audata/t", { event: "Listener.updated", webhookCallId: "c1", sender });
    await shop.inbox.idle();
    const key = await shop.keyOf("done");
    for (const path of ["/", "/events", `/events/${key}`, "/find?id=c1"]) {
      expect((await shop.get(path)).body).not.toContain("canary");
    }
    for (const path of [`/events/${key}/delivery`, `/events/${key}/body`]) {
      const refused = await shop.get(path);
      expect([refused.status, refused.body.includes("canary")]).toEqual([403, false]);
    }
    expect(shop.signals).not.toContain("revealed");
    const shown = await shop.get(`/events/${key}/delivery`, { "x-all": "1" });
    expect(shown.body).toContain("canary-name");
    expect(shown.body).not.toContain("/webhooks/audata/t");
    const body = await shop.get(`/events/${key}/body`, { "x-all": "1" });
    expect(JSON.parse(body.body)).toMatchObject({ sender });
    expect(body.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${key}.bin"`,
      "content-security-policy": "default-src 'none'; sandbox",
    });
    expect(shop.signals.filter((kind) => kind === "revealed")).toHaveLength(2);
  });

  test("of what is nested deep, or grows when it is indented, is short and quick", async () => {
    const shop = await desk();
    const deep = (levels: number, inner: string): string =>
      `{"id":"${levels}","type":"x","data":${"[".repeat(levels)}${inner}${"]".repeat(levels)}}`;
    const ones = "1,".repeat(400_000);
    await shop.post("shop/t", deep(1000, ""));
    await shop.post("shop/t", deep(90, `${ones}1`));
    await shop.inbox.idle();
    const keys = (await shop.inbox.list()).events.map(({ key }) => key);
    // A large one is read after its answer, and becomes what it holds.
    expect(keys).toHaveLength(3);
    for (const key of keys) {
      const { status, body } = await shop.get(`/events/${key}`);
      expect(status).toBe(200);
      expect(body.length).toBeLessThan(500_000);
      expect((await shop.get(`/events/${key}/delivery`)).body.length).toBeLessThan(500_000);
    }
    const texts = await Promise.all(
      keys.map(async (key) => (await shop.get(`/events/${key}`)).body),
    );
    expect(texts.filter((text) => text.includes("It cannot be read as JSON"))).toHaveLength(1);
    const grown = JSON.parse(deep(90, `${ones}1`)) as unknown;
    expect(visibleJson(grown, 2).length).toBe(JSON.stringify(grown).length);
  });

  test("says so while the store is away, and lives on", async () => {
    let isAway = false;
    const inner = sqlite(temporaryFile());
    const away = async (): Promise<never> => {
      const { WebhookInboxError } = await import("@webhook-inbox/core");
      throw new WebhookInboxError("STORE_UNAVAILABLE", "the store is away.");
    };
    const store = wrapped(inner, {
      tally: (query) => (isAway ? away() : inner.tally(query)),
      list: (query) => (isAway ? away() : inner.list(query)),
      get: (key) => (isAway ? away() : inner.get(key)),
    });
    const shop = await desk({ store });
    isAway = true;
    for (const path of ["/", "/events", "/events/0000000000000000000000000A"]) {
      const { status, body } = await shop.get(path);
      expect(status).toBe(503);
      expect(body).toContain("the store is away.");
    }
    isAway = false;
    expect((await shop.get("/")).status).toBe(200);
  });
});

describe("an act", () => {
  test("goes on when its page is closed, can be stopped, and says how far it came", async () => {
    const shop = await desk({ store: memory({ acceptLoss: true }) });
    await shop.fail(60);
    shop.mend();
    const form = { act: "replay", state: "dead", count: "60", more: "no", perSecond: "20" };
    const { headers } = await shop.send("/act", { ...form, why: "the CRM is back" });
    const at = (headers["location"] ?? "").slice("/admin".length);
    expect((await shop.get(at)).body).toContain("running");
    type Progress = { readonly isOver: boolean; readonly count: number; readonly text: string };
    const progress = async (): Promise<Progress> =>
      JSON.parse((await shop.get(`${at}/progress`)).body) as Progress;
    await vi.waitUntil(async () => (await progress()).count > 0, 10_000);
    expect((await shop.send(`${at}/stop`, {})).status).toBe(303);
    await vi.waitUntil(async () => (await progress()).isOver, 10_000);
    const { count, text } = await progress();
    expect(count).toBeLessThan(60);
    expect(text).toMatch(new RegExp(`^${count} events? replayed in .* before it was stopped`));
    expect((await shop.get("/acts")).body).toContain("Replay all dead events");
    const [first] = (await shop.inbox.list({ order: "oldest", limit: 1 })).events;
    expect(first?.interventions).toMatchObject([
      { act: "replay", by: "ada", reason: "the CRM is back" },
    ]);
  });

  test("is stopped by whoever may begin it, and by nobody else", async () => {
    const shop = await desk({
      store: memory({ acceptLoss: true }),
      access: (request) => ({
        by: "ada",
        roles: [request.headers.get("x-role") ?? "act"] as never,
      }),
    });
    await shop.fail(3);
    const eraser = { "x-role": "erase" };
    const form = { act: "erase", state: "dead", count: "3", more: "no", phrase: "3" };
    const begun = await shop.send("/act", form, eraser);
    const at = `${begun.headers["location"] ?? ""}/stop`;
    expect((await shop.send(at, {})).status).toBe(403);
    expect((await shop.send(at, {}, eraser)).status).toBe(303);
  });

  test("of more than four at once is refused until one has ended", async () => {
    const shop = await desk();
    await shop.fail(30);
    const form = { act: "replay", state: "dead", count: "30", more: "no", perSecond: "0.1" };
    for (let n = 0; n < 4; n++) expect((await shop.send("/act", form)).status).toBe(303);
    expect((await shop.send("/act", form)).status).toBe(429);
  });

  test("verifies refused deliveries again, by key and by source", async () => {
    const shop = await desk();
    await shop.post("socialdata/wrong", { event: "job_finished", data: { job_id: 7 } });
    await shop.inbox.verifyAgain();
    const key = await shop.keyOf("refused");
    const shown = await shop.get(`/events/${key}`);
    expect(shown.body).toContain("token: mismatch, the secrets have matched no delivery yet");
    const asked = await shop.get(`/act?act=verify&key=${key}`);
    expect(asked.body).toContain("Still refused: 1 mismatch.");
    expect((await shop.get("/act?act=verify&state=refused&source=socialdata")).status).toBe(200);
    const other = await shop.get("/act?act=verify&state=refused&type=x");
    expect(other.status).toBe(400);
  });
});

describe("finding one", () => {
  test("by its key, and by its provider's id in any source", async () => {
    const shop = await desk();
    await shop.fail(1);
    const key = await shop.keyOf("dead");
    for (const id of [key, "job:1:error", " job:1:error "]) {
      const { status, headers } = await shop.get(`/find?${String(new URLSearchParams({ id }))}`);
      expect([status, headers["location"]]).toEqual([303, `/admin/events/${key}`]);
    }
    const missing = await shop.get("/find?id=%3Cb%3E");
    expect(missing.headers["location"]).toBe("/admin/events?missing=%3Cb%3E");
    const said = await shop.get("/events?missing=%3Cb%3E");
    expect(said.body).toContain("&quot;&lt;b&gt;&quot;");
  });
});
