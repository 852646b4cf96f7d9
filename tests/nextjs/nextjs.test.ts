/** The HTTP suite on `inbox.fetch` in route handlers of a real Next.js, built and served as in production. */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { inboxFrom } from "@webhook-inbox/core/defaults";
import { httpSuite } from "@webhook-inbox/testing/http";
import { afterAll, beforeAll, describe, test } from "vitest";

const dir = import.meta.dirname;
const server = createServer();

/** Next's own types would change `process.env` for every file that is checked with this one. */
interface Next {
  prepare(): Promise<void>;
  getRequestHandler(): RequestListener;
  close(): Promise<void>;
}
const name: string = "next";
const { default: next } = (await import(name)) as { readonly default: (options: object) => Next };
let app: Next;
let port: number;

beforeAll(async () => {
  const env = { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
  execFileSync(process.execPath, [join(dir, "node_modules/next/dist/bin/next"), "build"], {
    cwd: dir,
    env,
    stdio: "pipe",
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
  app = next({ dev: false, dir, hostname: "127.0.0.1", port });
  await app.prepare();
  const handle = app.getRequestHandler();
  server.on("request", handle);
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await app.close();
});

const query = "Next parses the query, and writes it anew";

describe("Next.js", () => {
  httpSuite({
    test,
    hasFront: false,
    exempt: {
      "a GET is kept with its query exactly as it was sent": query,
      "queries are kept exactly as they came, whatever they hold": query,
      "a token in the query counts where its provider appends one": query,
      "a fetch handler gets the request, and where it is mounted": query,
      "header lines are kept as they came, repeats and all":
        "a Request has its headers in lower case, sorted and joined",
      "a header that must not repeat is answered 400 when it does":
        "Node keeps the first of some, and Next knows no more",
      "a path below the inbox that is no source's is answered 404":
        "/webhooks/ is the route of /webhooks",
      "an answer says how long it is": "Next sends every response in chunks",
      "a refusal ends its connection, and a 200 does not":
        "a Response has no say in its connection",
      "another letter case and doubled slashes make another path":
        "Next redirects doubled slashes before any route",
      "methods that few know are answered 405": "Next answers them 400 before any route",
      "framing: TRACE": "Next answers it 500 before any route",
      "framing: another protocol": "Next ends connections that ask for an upgrade",
      "framing: another host's URL": "Next redirects it before any route",
    },
    async serve(given, { prefix, pages }) {
      const inbox = inboxFrom(given);
      const path = prefix + inbox.path;
      Object.assign(globalThis, {
        webhookInboxSite: {
          inbox: (request: Request) => inbox.fetch(request, { path }),
          pages: (request: Request) => pages(request, { path: `${prefix}/pages` }),
        },
      });
      return { port, inbox, close: async () => server.closeAllConnections() };
    },
  });
});
