/** One subject in a process of its own: says its port, answers how much processor time it has used, and ends when told. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { subjects, type Places } from "./subjects.ts";

export type Told =
  | { readonly kind: "ready"; readonly port: number; readonly path: string }
  | { readonly kind: "cpu"; readonly microseconds: number };

const [name = "", places = "{}"] = process.argv.slice(2);
const make = subjects[name];
if (make === undefined) throw new Error(`there is no subject "${name}"`);
const subject = await make(JSON.parse(places) as Places);
const server = createServer(subject.listener);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ kind: "ready", port, path: subject.path } satisfies Told);
});

process.on("message", (word: string) => {
  if (word === "cpu") {
    const { user, system } = process.cpuUsage();
    process.send?.({ kind: "cpu", microseconds: user + system } satisfies Told);
  }
  if (word === "end") {
    server.closeAllConnections();
    server.close();
    void subject.close().then(() => process.exit(0));
  }
});
