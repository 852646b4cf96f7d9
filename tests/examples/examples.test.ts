/** The examples, as their READMEs say: started, and sent what three providers document. */

import { mkdtempSync, readdirSync, readFileSync, existsSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  audataExample,
  audataGet,
  audataPost,
  audataQueries,
  captainDataDelivery,
  captainDataExamples,
  send,
} from "@webhook-inbox/testing/senders";
import { describe, expect, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { run, start } from "../consumers/shell.ts";

const folder = join(root, "examples");
const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "README.md")));

/** The port of the READMEs may be somebody's. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("every framework has its example", () => {
  const frameworks = ["express", "fastify", "hono", "koa", "nestjs", "nextjs", "node-http"];
  expect(names.toSorted()).toEqual(frameworks);
});

describe.each(names)("%s", (name) => {
  const readme = readFileSync(join(folder, name, "README.md"), "utf8");
  const blocks = (language: string): readonly string[] =>
    [...readme.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
      .filter((match) => match[1] === language)
      .map((match) => match[2] ?? "");
  const [launch = "", curl = ""] = blocks("sh");
  const [output = ""] = blocks("text");

  test("runs as its README says, and handles what three providers document", async () => {
    const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-example-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const port = await freePort();
    const environment = { PORT: String(port), DATABASE: join(directory, "webhooks.sqlite") };
    const running = await start(join(folder, name), launch, /listening on|Ready in/, environment);
    onTestFinished(() => running.stop());

    const command = curl.replaceAll("3000", String(port)).replace("curl", "curl -sS");
    expect(run(directory, command)).toBe("ok");
    await running.says(new RegExp(output.trim().replaceAll("?", "\\?")));

    const url = `http://127.0.0.1:${port}/webhooks`;
    const answers = [
      await send(audataPost(`${url}/audata/s3cret-2`, audataExample)),
      await send(audataGet(`${url}/audata/s3cret-2`, audataQueries["PHP http_build_query"])),
      await send(
        captainDataDelivery(`${url}/captain-data/succeeded`, captainDataExamples.succeeded, {
          Authorization: "Bearer s3cret-3",
        }),
      ),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await running.says(/handled listener 1788495/);
    await running.says(/handled run b9a260de8f1c4a5bb7d2/);
    const refused = await send(audataGet(`${url}/audata/wrong`, "event=Prize.created"));
    expect(refused.status).toBe(401);
    const home = await fetch(`http://127.0.0.1:${port}/`);
    expect(await home.text()).toContain("every other route is yours");
  });
});
