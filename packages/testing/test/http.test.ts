/** The HTTP suite on `node:http` without any framework. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { inboxFrom } from "@webhook-inbox/core/defaults";
import { mountNode, nodeHandler } from "@webhook-inbox/core/node";
import { httpSuite } from "@webhook-inbox/testing/http";
import { json } from "node:stream/consumers";
import { describe, test } from "vitest";
import { started } from "../../../tests/support/http.ts";

async function other(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.url === "/home") res.end("home");
  else if (req.url === "/webhooks") res.end("mine");
  else if (req.url === "/echo") res.end(JSON.stringify(await json(req)));
  else res.writeHead(404).end();
}

describe("node:http", () => {
  httpSuite({
    test,
    hasFront: false,
    serve(given, { prefix, pages }) {
      const inbox = inboxFrom(given);
      const receive = nodeHandler(inbox);
      const serve = mountNode(pages);
      const server = createServer((req, res) => {
        const { url = "" } = req;
        if (url.startsWith(`${prefix}/pages`)) {
          Object.assign(req, { originalUrl: url, url: url.slice(`${prefix}/pages`.length) });
          return serve(req, res);
        }
        req.url = url.startsWith(prefix) ? url.slice(prefix.length) : "";
        receive(req, res, () => void other(req, res));
      });
      return started(server, inbox);
    },
  });
});
