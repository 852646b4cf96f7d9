/** The pages that the command serves, in a real browser: the dashboard, and the sandbox against a real inbox. */

import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { memory } from "@webhook-inbox/core/memory";
import { expect, onTestFinished, test, vi } from "vitest";
import { barriersOf, overflowOf, picture, useBrowser } from "../../../tests/support/browser.ts";
import { freePort } from "../../../tests/services/server.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { run } from "../src/run.ts";
import { command, placesOf, service, terminal } from "./desk.ts";

const open = useBrowser();

/** Runs a command that serves pages, until the test ends; answers the URL that it printed. */
async function served(args: readonly string[]): Promise<URL> {
  const { console: to, written, stop } = terminal();
  const running = run([...args, "--port", "0"], to);
  onTestFinished(async () => {
    stop();
    expect(await running).toBe(0);
  });
  await vi.waitUntil(() => written.err.includes("Ctrl-C"), 10_000);
  return new URL(written.out.trim());
}

test("the dashboard is there for who has the printed URL, and for nobody else", async () => {
  const shop = await service(placesOf.SQLite());
  await shop.finish(2);
  const url = await served(["dashboard", "--store", shop.url]);
  expect(url.hostname).toBe("127.0.0.1");
  const place = { port: Number(url.port), url: url.origin };
  const host = url.host;
  for (const path of ["/", "/events", "/?token=", `/?token=${"0".repeat(64)}`]) {
    expect((await ask(place, path, { headers: { host } })).status).toBe(401);
  }
  expect((await ask(place, "/", { headers: { host: "evil.example" } })).status).toBe(403);
  const { page, seen } = await open();
  await page.goto(url.href);
  expect(page.url()).toBe(`${url.origin}/`);
  expect(await page.locator(".tiles .dead b").textContent()).toBe("2");
  await page.getByRole("link", { name: "Events" }).click();
  await page.getByRole("link", { name: "socialdata job_finished" }).first().click();
  expect(await page.locator(".failure").textContent()).toContain("the CRM answered 500");
  await page.getByRole("link", { name: "Replay…" }).click();
  shop.mend();
  await page.getByRole("button", { name: "Replay 1 event" }).click();
  await vi.waitUntil(() => shop.handled.length === 1, 10_000);
  expect(seen).toEqual([]);
});

test("a port that is taken is a word, and no stack", async () => {
  const shop = await service(placesOf.SQLite());
  await shop.finish(1);
  const port = await freePort();
  const { console: to, stop, written } = terminal();
  const running = run(["dashboard", "--store", shop.url, "--port", String(port)], to);
  await vi.waitUntil(() => written.err !== "", 10_000);
  expect(written.err).toContain("Ctrl-C");
  const second = await command(["dashboard", "--store", shop.url, "--port", String(port)]);
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err).toBe(
    `port ${port} cannot be used (EADDRINUSE): give another one with --port.\n`,
  );
  stop();
  expect(await running).toBe(0);
});

test("the sandbox plays three providers to an inbox, with their settings, logs and retry", async () => {
  const handled: string[] = [];
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      socialdata: socialData({ token: "t", secret: "of-monitors" }),
      audata: audata({ token: "t" }),
      "captain-data": captainData({ bearer: "b" }),
    },
    logger: false,
  });
  for (const source of ["socialdata", "audata", "captain-data"] as const) {
    inbox.on(source, "*", ({ type }) => void handled.push(`${source} ${type}`));
  }
  const receiver = await serve(inbox);
  const url = await served(["sandbox", "--tunnel", receiver.url]);
  const { page, seen } = await open();
  const answers = page.locator("table .state");
  const click = (name: string): Promise<void> => page.getByRole("button", { name }).first().click();

  await page.goto(url.href);
  await page.getByLabel("Webhook URL").fill(`${receiver.url}/webhooks/socialdata/t`);
  await click("Save");
  await page.getByLabel("Webhook secret").fill("of-monitors");
  await click("Set");
  await click("Start a job");
  await click("Finish job");
  await click("Send");
  expect(await answers.allTextContents()).toEqual(["200", "200"]);
  expect([await barriersOf(page), await overflowOf(page)]).toEqual([[], 0]);
  await picture(page, "sandbox");

  await page.getByRole("link", { name: "Audata" }).click();
  for (const method of ["POST", "GET"]) {
    await page.getByLabel("Endpoint").fill("https://hooks.example.com/webhooks/audata/t");
    await page.getByLabel("Method").selectOption(method);
    await click("Save webhook");
  }
  await page.getByLabel("How a GET writes").selectOption("json");
  await click("Change it");
  expect(await answers.allTextContents()).toEqual(["200", "200"]);
  expect([await barriersOf(page), await overflowOf(page)]).toEqual([[], 0]);

  await page.getByRole("link", { name: "Captain Data" }).click();
  for (const event of ["created", "failed"]) {
    await page.getByLabel("Event").selectOption(event);
    await page.getByLabel("URL").fill(`${receiver.url}/webhooks/captain-data/${event}`);
    await page.getByLabel("Custom headers").fill("authorization: Bearer b");
    await click("Add webhook");
  }
  await click("Start a job");
  await click("All inputs fail");
  await click("Retry webhook");
  expect(await answers.allTextContents()).toEqual(["200", "200", "200"]);
  expect([await barriersOf(page), await overflowOf(page)]).toEqual([[], 0]);
  await inbox.idle();
  expect(handled.toSorted()).toEqual([
    "audata Listener.updated",
    "audata Listener.updated",
    "captain-data job.created",
    "captain-data job.failed",
    "socialdata job_finished",
    "socialdata new_tweet",
  ]);
  expect(seen).toEqual([]);
});

test("what a provider would not take is said, and nothing is sent", async () => {
  const url = await served(["sandbox"]);
  const { page } = await open();
  await page.goto(url.href);
  await page.getByRole("link", { name: "Audata" }).click();
  await page.getByLabel("Endpoint").fill("http://127.0.0.1:1/webhooks");
  await page.getByRole("button", { name: "Save webhook" }).click();
  expect(await page.getByRole("alert").textContent()).toContain("must begin with https://");
  await page.goto(`${url.origin}/captain-data`);
  await page.getByLabel("URL").fill("http://127.0.0.1:1/webhooks");
  await page.getByLabel("Custom headers").fill("no header");
  await page.getByRole("button", { name: "Add webhook" }).click();
  expect(await page.getByRole("alert").textContent()).toContain('looks like "name: value"');
  await page.goto(`${url.origin}/audata`);
  await page.getByRole("button", { name: "Change it" }).click();
  expect(await page.getByRole("alert").textContent()).toContain("nothing was sent");
});
