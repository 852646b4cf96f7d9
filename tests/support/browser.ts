/** Pages in a real browser, watched: what they ask of others, what scripts do, and what their readers cannot use. */

import axe from "axe-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { startChromium, type Browser, type Page } from "../services/chromium.ts";

interface Opening {
  readonly width?: number;
  readonly colors?: "light" | "dark";
  /** Default: true. */
  readonly script?: boolean;
}

/** One browser for all tests of a file. */
export function useBrowser() {
  let browser: Browser | undefined;
  beforeAll(async () => void (browser = await startChromium()), 120_000);
  afterAll(() => browser?.close());

  /** A page of a browser that knows nothing yet; `seen` is all that should never be. */
  return async ({ width = 1100, colors = "light", script = true }: Opening = {}) => {
    if (browser === undefined) throw new Error("the browser is started before the tests");
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: colors,
      javaScriptEnabled: script,
      acceptDownloads: true,
    });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const seen: string[] = [];
    page.on("dialog", (dialog) => {
      seen.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("pageerror", ({ message }) => seen.push(`error ${message}`));
    page.on("console", (line) => {
      if (line.type() === "error" || line.type() === "warning") seen.push(line.text());
    });
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (hostname !== "127.0.0.1" && protocol !== "data:") seen.push(`asked ${request.url()}`);
    });
    return { page, seen };
  };
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What people who read with their ears, or with a keyboard, cannot use, and what has too little contrast. */
export async function barriersOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate("axe.run().then(({ violations }) => violations)");
  return (violations as readonly Violation[]).flatMap(({ id, nodes }) =>
    nodes.map(({ html }) => `${id}: ${html}`),
  );
}

/** How much wider the page is than its window. */
export async function overflowOf(page: Page): Promise<number> {
  const width = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
  return Number(await page.evaluate(width));
}

/** Takes a picture for the documentation where that is asked for, else only proves that it can be taken. */
export async function picture(page: Page, name: string): Promise<void> {
  const directory = process.env["PICTURES"];
  const image = await page.screenshot(
    directory === undefined ? {} : { path: `${directory}/${name}.png` },
  );
  expect(image.length).toBeGreaterThan(1000);
}
