/** The floor: frameworks that read a body, keep nothing and answer 200. */

import express from "express";
import fastify from "fastify";
import Koa from "koa";
import { application, ignore, onBody, paths, type MakeSubject } from "./subject.ts";

const path = paths.audata;

export const frameworks: Readonly<Record<string, MakeSubject>> = {
  express: async () => {
    const listener = application(() => undefined);
    return { listener, shape: "audata", close: ignore };
  },

  "express + express.json()": async () => {
    const app = express();
    app.post(path, express.json(), (_, response) => void response.end("ok"));
    return { listener: app, shape: "audata", close: ignore };
  },

  koa: async () => {
    const app = new Koa();
    app.use(async (ctx) => {
      await new Promise<Buffer>((resolve) => onBody(ctx.req, resolve));
      ctx.body = "ok";
    });
    const listener = app.callback();
    return {
      listener: (request, response) => void listener(request, response),
      shape: "audata",
      close: ignore,
    };
  },

  fastify: async () => {
    const app = fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
    app.post(path, async () => "ok");
    await app.ready();
    const close = (): Promise<void> => app.close();
    return {
      listener: (request, response) => app.routing(request, response),
      shape: "audata",
      close,
    };
  },
};
