import type { AddressInfo } from "node:net";
import compress from "@fastify/compress";
import cookie from "@fastify/cookie";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import session from "@fastify/session";
import { mount, webhooks } from "@webhook-inbox/fastify";
import { httpSuite } from "@webhook-inbox/testing/http";
import Fastify from "fastify";
import rawBody from "fastify-raw-body";
import { describe, test } from "vitest";

describe("Fastify 5", () => {
  httpSuite({
    test,
    hasFront: true,
    afterParser: "exact",
    exempt: {
      "methods that few know are answered 405":
        "Fastify routes only the methods that it was told of",
      "framing: a chunk with an extension of 20 KB":
        "Fastify answers whatever Node's parser refuses with 400",
    },
    async serve(given, { prefix, parser, isFronted, pages }) {
      const app = Fastify();
      const plugin = webhooks(given);
      if (isFronted) {
        await app.register(helmet);
        await app.register(compress, { threshold: 0 });
        await app.register(cors);
        await app.register(cookie);
        await app.register(session, { secret: "x".repeat(32), saveUninitialized: true });
      }
      if (parser === "before") await app.register(rawBody, { global: true });
      await app.register(
        async (below) => {
          if (parser === "after")
            below.addContentTypeParser("application/x-own", (_request, _payload, done) =>
              done(null),
            );
          await below.register(plugin);
          await below.register(mount(pages), { prefix: "/pages" });
          below.get("/home", () => "home");
          below.get("/webhooks", () => "mine");
          below.post("/echo", (request) => request.body);
        },
        { prefix },
      );
      await app.listen({ host: "127.0.0.1", port: 0 });
      const { port } = app.server.address() as AddressInfo;
      return { port, inbox: plugin.inbox, close: () => app.close() };
    },
  });
});
