/** The documentation's site, built as it is published, and looked at in a browser. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { extname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { barriersOf, useBrowser } from "../support/browser.ts";

const site = join(root, "tools/site");
const dist = join(site, "dist");
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
  ".json": "application/json",
};

/** Below this path it is tried, as hosts serve it that give a project no host of its own. */
const mount = "/inbox/";

/** The file of a path, as a server of static files finds it. */
function fileOf(path: string): string | undefined {
  if (!path.startsWith(mount)) return undefined;
  const at = join(dist, decodeURIComponent(path.slice(mount.length - 1)));
  const ways = path.endsWith("/") ? [join(at, "index.html")] : [at, `${at}.html`];
  return ways.find((way) => existsSync(way) && extname(way) !== "");
}

const pages = (): readonly string[] =>
  readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".html") && path !== "404.html")
    .map((path) => `${mount}${path.replace(/\.html$/, "").replace(/(^|\/)index$/, "$1")}`);

const textOf = (path: string): string => readFileSync(fileOf(path) ?? "", "utf8");
const attributes = (text: string, name: string): readonly string[] =>
  [...text.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map((match) => match[1] ?? "");

/** What differs from what git has. */
const statusOf = (): string =>
  execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });

describe("the site", () => {
  let server: Server;
  let base = "";
  let said = "";
  let before = "";
  const open = useBrowser();

  beforeAll(async () => {
    before = statusOf();
    const built = spawnSync("pnpm", ["run", "build"], {
      cwd: site,
      env: { ...process.env, BASE: mount },
      encoding: "utf8",
    });
    said = stripVTControlCharacters(`${built.stdout}${built.stderr}`);
    expect(built.status, said).toBe(0);
    server = createServer((req, res) => {
      const file = fileOf(new URL(req.url ?? "/", "http://site").pathname);
      if (file === undefined) return void res.writeHead(404).end();
      res.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" });
      res.end(readFileSync(file));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}${mount}`;
  }, 300_000);
  afterAll(() => void server?.close());

  test("has a docstring for whatever packages export, and no link in one that leads nowhere", () => {
    // Methods of their own clients, and fields of their payloads, are documented by those who made them.
    const isMethod = /(?:\b[A-Z]\w*|__type)\.[\w.]+ \((?:CallSignature|Property|TypeParameter)\)/;
    const warnings = said.split("\n").filter((line) => line.startsWith("[warning]"));
    expect(said).toContain("markdown generated");
    expect(
      warnings.filter((line) => !isMethod.test(line) && !line.startsWith("[warning] Found")),
    ).toEqual([]);
  });

  test("has a page for every page of the documentation", () => {
    const written = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md") && path !== "index.md")
      .map((path) => path.replace(/\.md$/, ""));
    const wanted = ["", "security", "reference/", ...written].map((path) => `${mount}${path}`);
    expect(pages()).toEqual(expect.arrayContaining(wanted));
  });

  test("leads from its sidebar to every page of the documentation", () => {
    const linked = new Set(attributes(textOf(`${mount}concepts`), "href"));
    const missing = pages().filter(
      (page) => !page.startsWith(`${mount}reference/`) && page !== mount,
    );
    expect(missing.filter((page) => !linked.has(page))).toEqual([]);
  });

  test("has no link within it that leads nowhere, and no file that is not there", () => {
    const all = pages();
    expect(all.length).toBeGreaterThan(300);
    const ids = new Map<string, ReadonlySet<string>>();
    const idsOf = (path: string): ReadonlySet<string> => {
      const known = ids.get(path) ?? new Set(attributes(textOf(path), "id"));
      ids.set(path, known);
      return known;
    };
    const broken = all.flatMap((page) => {
      const text = textOf(page);
      return [...attributes(text, "href"), ...attributes(text, "src")]
        .filter((to) => !/^(?:[a-z]+:|\/\/)/.test(to))
        .filter((to) => {
          const { pathname, hash } = new URL(to.replaceAll("&amp;", "&"), `http://site${page}`);
          const file = fileOf(pathname);
          if (file === undefined) return true;
          const id = decodeURIComponent(hash.slice(1));
          return file.endsWith(".html") && id !== "" && !idsOf(pathname).has(id);
        })
        .map((to) => `${page} → ${to}`);
    });
    expect([...new Set(broken)]).toEqual([]);
  });

  test.each([
    ["", "A 200 means it is on disk."],
    ["quick-start", "Quick start"],
    ["concepts", "Concepts"],
    ["providers/socialdata", "SocialData"],
    ["security", "Security"],
    ["reference/", "Reference"],
  ])("/%s is read in a browser, light and dark, wide and narrow", async (path, heading) => {
    for (const colors of ["light", "dark"] as const) {
      for (const width of [1280, 390]) {
        const { page, seen } = await open({ colors, width });
        await page.goto(`${base}${path}`);
        await page.locator("main, .VPHero").getByText(heading).first().waitFor();
        const unloaded = await page.evaluate(
          "[...document.images].filter((one) => one.complete && one.naturalWidth === 0).map((one) => one.src)",
        );
        expect(unloaded).toEqual([]);
        const wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        expect(wider).toBeLessThanOrEqual(0);
        expect(seen).toEqual([]);
        if (process.env["PICTURES"] !== undefined) {
          const name = `-${path.replaceAll("/", "-")}-${colors}-${width}.png`;
          await page.screenshot({ path: join(process.env["PICTURES"], `site${name}`) });
        }
      }
    }
  });

  test("finds words by its search, and goes where they stand", async () => {
    const { page, seen } = await open();
    await page.goto(base);
    await page.getByRole("button", { name: "Search" }).first().click();
    await page.getByRole("searchbox").fill("verifyAgain");
    await page.locator(".result").first().click();
    await page.waitForURL(/\/(?:refusals|steering|concepts|reference)/);
    expect(seen).toEqual([]);
  });

  test("keeps nobody out who reads with a keyboard or by ear", async () => {
    const { page } = await open();
    await page.goto(`${base}handlers`);
    // What the theme does with its own colours, landmarks and buttons is the theme's.
    const ours = (await barriersOf(page)).filter(
      (one) => !/^(?:color-contrast|region|landmark|label-content)/.test(one),
    );
    expect(ours).toEqual([]);
  });

  test("leaves nothing in the repository by its build", () => {
    expect(statusOf()).toBe(before);
  });
});
