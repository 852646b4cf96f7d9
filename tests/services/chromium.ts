/** A browser for tests: the Chromium of this machine, else Debian's. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { searchPath } from "./server.ts";

export type { Browser, Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Starts it without a window. It asks nobody outside of this machine for anything. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: programOf(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

function programOf(): string {
  const given = process.env["CHROMIUM"];
  if (given !== undefined && given !== "") return given;
  return installed() ?? fromDebian();
}

function installed(): string | undefined {
  const places = [...searchPath(), "/usr/bin", "/usr/local/bin"];
  return places
    .flatMap((place) => names.map((name) => join(place, name)))
    .find((path) => existsSync(path));
}

function fromDebian(): string {
  const said: string[] = [];
  for (const given of [["update"], ["install", "-y", "chromium", "fonts-liberation"]]) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    said.push(spawnSync("apt-get", given, { encoding: "utf8", env }).stderr);
  }
  const found = installed();
  if (found !== undefined) return found;
  throw new Error(
    `No browser: set CHROMIUM to the path of one, or install it (Debian: chromium); it cannot be installed here: ${said.join("\n")}`,
  );
}
