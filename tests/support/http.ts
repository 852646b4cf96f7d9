/** What the harnesses of the HTTP suite share: servers on free ports, and routes of plain Node listeners. */

import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Inbox } from "@webhook-inbox/core";
import type { Served } from "@webhook-inbox/testing/http";

/** Listens on a free port of loopback. */
export async function started(server: Server, inbox: Inbox): Promise<Served> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    inbox,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
