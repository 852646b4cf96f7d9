/** Pages of this command: served to the person who started it, on this machine alone, until it is stopped. */

import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { userInfo } from "node:os";
import { mountNode, type FetchHandler } from "@webhook-inbox/core/node";
import type { AccessFunction } from "@webhook-inbox/dashboard";
import type { Console } from "./console.ts";
import { Exit } from "./exit.ts";

/** The person at the terminal: known by a token in the URL that was printed, and from then on by a cookie. */
export class Owner {
  readonly token: string = randomBytes(32).toString("hex");
  readonly #session = randomBytes(32).toString("hex");

  readonly access: AccessFunction = (request) => {
    const url = new URL(request.url);
    // Cookies are the same on all ports of a machine.
    const name = `webhook-inbox-${url.port}`;
    if (isEqual(url.searchParams.get("token"), this.token)) {
      const cookie = `${name}=${this.#session}; Path=/; HttpOnly; SameSite=Strict`;
      // Not in the address bar, nor in the history.
      const headers = { location: url.pathname, "set-cookie": cookie };
      return new Response(null, { status: 303, headers });
    }
    const cookies = (request.headers.get("cookie") ?? "").split(/;\s*/);
    const isKnown = cookies.some((one) => isEqual(one, `${name}=${this.#session}`));
    return isKnown ? { by: userInfo().username, roles: ["payloads", "act", "erase"] } : undefined;
  };
}

function isEqual(given: string | null, right: string): boolean {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Serves pages on loopback until the user wants them to end. Prints their URL. */
export async function serveLocal(
  what: string,
  {
    handler,
    owner,
    port,
  }: { readonly handler: FetchHandler; readonly owner: Owner; readonly port: number },
  { out, err, stopped }: Console,
): Promise<void> {
  const server = createServer(mountNode(handler));
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new Exit(
      "failed",
      `port ${port} cannot be used (${code}): give another one with --port.`,
    );
  }
  const { port: found } = server.address() as AddressInfo;
  out.write(`http://127.0.0.1:${found}/?token=${owner.token}\n`);
  err.write(`${what} is there, for you alone, until Ctrl-C.\n`);
  if (!stopped.aborted) await once(stopped, "abort");
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
