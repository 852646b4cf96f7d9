/**
 * One subject in a process of its own: says its port, answers how much processor time it has used and what it has kept, and
 * ends when told.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { subjects } from "./subjects/index.ts";
import type { Counts, Places, Shape } from "./subjects/subject.ts";

export type Told =
  | { readonly kind: "ready"; readonly port: number; readonly shape: Shape }
  | { readonly kind: "cpu"; readonly microseconds: number }
  | { readonly kind: "counts"; readonly counts: Counts | undefined };

const [name = "", places = "{}"] = process.argv.slice(2);
const make = subjects[name];
if (make === undefined) throw new Error(`there is no subject "${name}"`);
const subject = await make(JSON.parse(places) as Places);
const server = createServer(subject.listener);
const tell = (told: Told): void => void process.send?.(told);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  tell({ kind: "ready", port, shape: subject.shape });
});

async function hear(word: string): Promise<void> {
  switch (word) {
    case "cpu": {
      const { user, system } = process.cpuUsage();
      return tell({ kind: "cpu", microseconds: user + system });
    }
    case "counts":
      return tell({ kind: "counts", counts: await subject.counts?.() });
    case "end":
      server.closeAllConnections();
      server.close();
      await subject.close();
      process.exit(0);
  }
}

process.on("message", (word: string) => void hear(word));
