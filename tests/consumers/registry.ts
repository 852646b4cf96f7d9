/**
 * A registry of packages on this machine, for rehearsals: takes what is published, and leads to the real one for all else. Prints
 * its address.
 */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

interface Document {
  readonly name: string;
  readonly "dist-tags": Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, { readonly [field: string]: unknown }>>;
  readonly _attachments?: Readonly<Record<string, { readonly data: string }>>;
}

const configured = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
const real = configured.endsWith("/") ? configured : `${configured}/`;
const published = new Map<string, Document>();
const files = new Map<string, Buffer>();
const server = createServer((req, res) => {
  const path = decodeURIComponent((req.url ?? "/").slice(1));
  if (req.method === "PUT") {
    void take(req).then(() => res.writeHead(201).end("{}"));
    return;
  }
  const file = files.get(path);
  const found = published.get(path);
  if (file !== undefined) res.end(file);
  else if (found !== undefined)
    res.setHeader("content-type", "application/json").end(JSON.stringify(found));
  // What is ours and not published is to be missed.
  else if (path.includes("webhook-inbox")) res.writeHead(404).end("{}");
  else res.writeHead(302, { location: new URL(`.${req.url ?? "/"}`, real).href }).end();
}).listen(0, "127.0.0.1");

async function take(req: IncomingMessage): Promise<void> {
  const { _attachments: attachments = {}, ...document } = (await json(req)) as Document;
  for (const [name, { data }] of Object.entries(attachments)) {
    files.set(`${document.name}/-/${name}`, Buffer.from(data, "base64"));
  }
  published.set(document.name, document);
}

await once(server, "listening");
console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
