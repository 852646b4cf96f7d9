import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { createInbox, defineProvider, hmac } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { mount, webhooks } from "@webhook-inbox/express";
import express5, { type Request } from "express";
import express4 from "express4";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { ask, listen } from "../../../tests/support/served.ts";

const job = '{"event":"job_finished","data":{"job_id":1,"status":"error","note":"é😀"}}';
const secret = "hush";

/** A provider that signs its body. */
const signer = defineProvider({
  name: "signer",
  auth: ["secret"],
  signature: hmac({ algorithm: "sha256", header: "x-signature", encoding: "hex" }),
  methods: ["POST"],
  habits: { redelivers: "automatic", bodyStable: true },
  events: {},
  identify: () => ({ kind: "events", events: [{ id: "1", type: "any" }] }),
  parse: ({ body }) => Buffer.from(body).toString(),
});

function newInbox() {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      jobs: socialData({ token: "t" }),
      signed: signer({ secret }),
    },
    logger,
    limits: { inFlightBytesMax: 300_000 },
    work: false,
  });
  onTestFinished(() => inbox.close());
  return { inbox, lines };
}

const signature = { "x-signature": createHmac("sha256", secret).update(job).digest("hex") };
const json = { "content-type": "application/json" };

const versions = { "Express 5": express5, "Express 4": express4 };

for (const [version, express] of Object.entries(versions)) {
  describe(version, () => {
    test("after express.json(): taken where the body is not signed, marked, with one warning that names the fix", async () => {
      const app = express();
      const { inbox, lines } = newInbox();
      app.use(express.json(), webhooks(inbox));
      const served = await listen(app);
      for (const id of [1, 2]) {
        const body = job.replace("1", String(id)).replaceAll(":", ": ");
        expect((await ask(served, "/webhooks/jobs/t", { body, headers: json })).status).toBe(200);
      }
      const { events } = await inbox.list();
      expect(events.map(({ notes }) => notes)).toEqual([
        ["body_reconstructed"],
        ["body_reconstructed"],
      ]);
      const warnings = lines.filter(
        ({ level, message }) => level === "warn" && /parser/.test(message),
      );
      expect(warnings.map(({ message }) => message)).toEqual([
        expect.stringContaining("mount webhooks() before the body parser"),
      ]);
    });

    test("after express.json(): 500 where a number has lost digits that tell two events apart", async () => {
      const app = express();
      const { inbox } = newInbox();
      app.use(express.json(), webhooks(inbox));
      const served = await listen(app);
      const body = job.replace(":1,", ":1493446837214187523,");
      expect((await ask(served, "/webhooks/jobs/t", { body, headers: json })).status).toBe(500);
      expect((await inbox.list()).events).toEqual([]);
    });

    test("a sender that left before its body was read keeps no room", async () => {
      const app = express();
      const { inbox } = newInbox();
      let left = 0;
      app.use((req, _res, next) => {
        if (req.headers["x-leaves"] === undefined) return next();
        left += 1;
        req.once("close", () => setImmediate(next));
      });
      app.use(webhooks(inbox));
      const served = await listen(app);
      for (let n = 0; n < 20; n++) {
        const socket = connect(served.port, "127.0.0.1");
        socket.write(
          "POST /webhooks/jobs/t HTTP/1.1\r\nHost: x\r\nX-Leaves: 1\r\nContent-Length: 900000\r\n\r\nx",
        );
        await vi.waitUntil(() => left === n + 1);
        socket.destroy();
      }
      expect((await ask(served, "/webhooks/jobs/t", { body: job })).status).toBe(200);
    });

    const snippets: Readonly<Record<string, (req: Request) => void>> = {
      "text, from the start": (req) => {
        let text = "";
        Object.assign(req, { rawBody: text });
        req.setEncoding("utf8");
        req.on("data", (chunk) => Object.assign(req, { rawBody: (text += chunk) }));
      },
      "bytes, from the start": (req) => {
        let bytes = Buffer.alloc(0);
        Object.assign(req, { rawBody: bytes });
        req.on("data", (chunk: Buffer) =>
          Object.assign(req, { rawBody: (bytes = Buffer.concat([bytes, chunk])) }),
        );
      },
      "nothing, but an encoding": (req) => void req.setEncoding("utf8"),
    };
    for (const [what, snippet] of Object.entries(snippets)) {
      for (const chunked of [false, true]) {
        test(`beside middleware that keeps ${what}, a body ${chunked ? "in chunks" : "with its length"} is whole`, async () => {
          const app = express();
          const { inbox } = newInbox();
          app.use((req, _res, next) => {
            snippet(req);
            next();
          });
          app.use(webhooks(inbox));
          const served = await listen(app);
          const body = job.replace("é", "é".repeat(50_000));
          const answer = await ask(served, "/webhooks/jobs/t", { body, headers: json, chunked });
          expect(answer.status).toBe(200);
          const [event] = (await inbox.list()).events;
          const kept = await inbox.get(event?.key ?? "");
          expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(body);
          const notes = what.startsWith("bytes") ? [] : ["body_reconstructed"];
          if (chunked || what.startsWith("bytes")) expect(event?.notes).toEqual(notes);
        });
      }
    }

    test("bytes that a platform has kept count, also where it says nothing of their length", async () => {
      const app = express();
      const { inbox } = newInbox();
      app.use(express.raw({ type: "*/*" }), (req, _res, next) => {
        delete req.headers["content-length"];
        next();
      });
      app.use(webhooks(inbox));
      const served = await listen(app);
      const headers = { ...json, ...signature };
      expect((await ask(served, "/webhooks/signed", { body: job, headers })).status).toBe(200);
    });

    test("a cookie of the application's middleware stands beside those of a fetch handler", async () => {
      const app = express();
      app.use((_req, res, next) => {
        res.cookie("up", "1");
        next();
      });
      const headers = { "set-cookie": "own=1" };
      app.use(
        "/pages",
        mount(() => new Response("page", { headers })),
      );
      const served = await listen(app);
      const { headers: seen } = await ask(served, "/pages");
      expect(seen["set-cookie"]).toEqual(["up=1; Path=/", "own=1"]);
    });

    const keepers = {
      "express.json() with a verify hook that keeps the bytes": express.json({
        verify: (req, _res, bytes) => void Object.assign(req, { rawBody: bytes }),
      }),
      "express.raw()": express.raw({ type: "*/*" }),
      "express.text()": express.text({ type: "*/*" }),
      "express.json() of another content type": express.json({ type: "application/other" }),
      "express.urlencoded()": express.urlencoded({ extended: true }),
    };
    for (const [what, keeper] of Object.entries(keepers)) {
      test(`after ${what}: the signature holds`, async () => {
        const app = express();
        const { inbox } = newInbox();
        app.use(keeper, webhooks(inbox));
        const served = await listen(app);
        const headers = { ...json, ...signature };
        expect((await ask(served, "/webhooks/signed", { body: job, headers })).status).toBe(200);
      });
    }

    test("after a parser that decoded or inflated, what it kept is marked as a reconstruction", async () => {
      const app = express();
      const { inbox } = newInbox();
      const keep = {
        verify: (req: object, _res: unknown, bytes: Buffer) =>
          void Object.assign(req, { rawBody: bytes }),
      };
      app.use(
        express.json({ ...keep, type: "application/json" }),
        express.text({ type: "text/*" }),
        webhooks(inbox),
      );
      const served = await listen(app);
      const latin = { "content-type": "text/plain; charset=latin1" };
      const body = job.replace("é😀", "x");
      expect((await ask(served, "/webhooks/jobs/t", { body, headers: latin })).status).toBe(200);
      const zipped = gzipSync(job.replace(":1,", ":2,"));
      const headers = { ...json, "content-encoding": "gzip" };
      expect((await ask(served, "/webhooks/jobs/t", { body: zipped, headers })).status).toBe(200);
      const { events } = await inbox.list();
      expect(events.map(({ id, notes }) => [id, notes])).toEqual([
        ["job:2:error", ["body_reconstructed"]],
        ["job:1:error", ["body_reconstructed"]],
      ]);
    });

    test("a body that a parser kept is bounded like any other", async () => {
      const app = express();
      const { inbox } = newInbox();
      app.use(express.raw({ type: "*/*", limit: "5mb" }), webhooks(inbox));
      const served = await listen(app);
      const answer = await ask(served, "/webhooks/jobs/t", {
        body: new Uint8Array(1_100_000),
        chunked: true,
      });
      expect(answer.status).toBe(413);
    });

    test("an empty body after a parser is an empty body, and nothing hangs", async () => {
      const app = express();
      const { inbox } = newInbox();
      app.use(express.json(), webhooks(inbox));
      const served = await listen(app);
      expect((await ask(served, "/webhooks/jobs/t", { body: "", headers: json })).status).toBe(200);
      expect((await inbox.list()).events[0]?.reason).toBe("empty");
    });

    test("a refusal ends the request: error handlers of the application never see it", async () => {
      const app = express();
      let seen = 0;
      app.use(webhooks(newInbox().inbox));
      app.use((_error: unknown, _req: unknown, _res: unknown, next: () => void) => {
        seen += 1;
        next();
      });
      const served = await listen(app);
      expect((await ask(served, "/webhooks/jobs/wrong", { body: job })).status).toBe(401);
      expect(seen).toBe(0);
    });
  });
}
