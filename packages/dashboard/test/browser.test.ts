/** The dashboard in a real browser: as somebody uses it whose handler broke, and as somebody meets it who sends markup. */

import { systemClock, type Clock } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { describe, expect, test } from "vitest";
import type { Page } from "../../../tests/services/chromium.ts";
import { barriersOf, overflowOf, picture, useBrowser } from "../../../tests/support/browser.ts";
import { desk } from "./desk.ts";

const open = useBrowser();
const volatile = () => memory({ acceptLoss: true });

describe("a handler broke", () => {
  // With script, and without.
  test.each([true, false])("eight steps from there to done, with script: %s", async (script) => {
    const shop = await desk({ store: volatile() });
    await shop.fail(120);
    await shop.post("audata/t", { event: "Listener.updated", webhookCallId: "c1", sender_id: 1 });
    await shop.inbox.idle();
    const { page, seen } = await open({ script });

    // 1. The overview says that something is dead.
    await page.goto(`${shop.url}/`);
    await expect.poll(() => page.locator(".tiles .dead b").textContent()).toBe("120");
    // 2. Which ones?
    await page.locator(".tiles .dead a").first().click();
    // 3. Why?
    await page.getByRole("link", { name: "socialdata job_finished" }).first().click();
    expect(await page.locator(".failure").textContent()).toMatch(
      /socialdata\/job_finished: Error: the CRM answered 500 for job:\d+:error/,
    );
    expect(await page.locator("pre").textContent()).toContain('"message": "***"');
    await picture(page, "dashboard-event");
    // 4. The handler is mended and deployed.
    shop.mend();
    // 5. All dead ones, from the list.
    await page.goBack();
    await page.getByRole("link", { name: "Replay…" }).click();
    expect(await page.locator("h1").textContent()).toBe("Replay 120 events");
    // 6. Why, how fast, and that it is meant.
    await page.getByLabel("Why").fill("the CRM is back");
    await page.getByLabel("Events a second").fill("40");
    await page.getByLabel("Type 120 to go on").fill("120");
    await page.getByRole("button", { name: "Replay 120 events" }).click();
    // 7. The progress.
    await page.waitForURL(/\/acts\/[0-9a-f-]{36}$/);
    const status = page.getByRole("status");
    await expect.poll(() => status.textContent()).toMatch(/^\d+ events? replayed of 120/);
    await picture(page, "dashboard-progress");
    await expect
      .poll(() => status.textContent(), { timeout: 15_000 })
      .toMatch(/^120 events replayed in \d+ m?s\.$/);
    // 8. They are done.
    await expect.poll(() => shop.handled.length, { timeout: 10_000 }).toBe(121);
    await shop.inbox.idle();
    await page.getByRole("link", { name: "To the overview" }).click();
    expect(await page.locator(".tiles .dead b").textContent()).toBe("0");
    expect(await page.locator(".tiles .done b").textContent()).toBe("121");
    await page.goto(`${shop.url}/find?id=job:1:error`);
    expect(await page.locator("main").textContent()).toMatch(/Replay\s+by ada: the CRM is back/);
    expect(seen).toEqual([]);
  });

  test("a wrong secret is put right, and what was refused is found, understood and taken", async () => {
    const shop = await desk({ store: volatile() });
    await shop.post("socialdata/wrong", { event: "job_finished", data: { job_id: 7 } });
    await shop.inbox.verifyAgain();
    const { page, seen } = await open();
    await page.goto(`${shop.url}/events/${await shop.keyOf("refused")}`);
    expect(await page.locator("main").textContent()).toContain(
      "token: mismatch, the secrets have matched no delivery yet",
    );
    await picture(page, "dashboard-refused");
    await page.getByRole("link", { name: "Verify again…" }).click();
    expect(await page.locator("main").textContent()).toContain("Still refused: 1 mismatch.");
    expect(seen).toEqual([]);
  });

  test("some are chosen on the list, and all by one box", async () => {
    const shop = await desk({ store: volatile() });
    await shop.fail(3);
    const { page, seen } = await open();
    await page.goto(`${shop.url}/events?state=dead`);
    const all = page.getByLabel("Choose all on this page");
    const boxes = page.locator("input[name=key]");
    await boxes.first().check();
    expect(await all.evaluate((box: { indeterminate?: boolean }) => box.indeterminate)).toBe(true);
    await all.check();
    expect(await boxes.evaluateAll((list) => list.length)).toBe(3);
    await boxes.first().uncheck();
    expect(await all.isChecked()).toBe(false);
    await page.getByRole("button", { name: "Cancel…" }).click();
    expect(await page.locator("h1").textContent()).toBe("Cancel 2 events");
    await page.getByRole("button", { name: "Cancel 2 events" }).click();
    await expect.poll(() => page.getByRole("status").textContent()).toMatch(/^2 events cancelled/);
    expect((await shop.inbox.list({ state: "cancelled" })).events).toHaveLength(2);
    expect(seen).toEqual([]);
  });
});

describe("the overview", () => {
  test("draws what came, what was done and what failed over an hour", async () => {
    let behindMs = 59 * 60_000;
    const clock: Clock = { ...systemClock, now: () => Date.now() - behindMs };
    const shop = await desk({ store: volatile(), clock });
    const sent = { done: 0, failed: 0 };
    for (; behindMs > 0; behindMs -= 60_000) {
      const minute = behindMs / 60_000;
      const count = 4 + Math.round(3 * Math.sin(minute / 7) + (minute % 4));
      for (let n = 0; n < count; n++) {
        const id = `${minute}-${n}`;
        await shop.post("audata/t", { event: "Listener.updated", webhookCallId: id, sender_id: n });
      }
      sent.done += count;
      const failed = minute > 20 && minute < 28 ? 2 : 0;
      for (let n = 0; n < failed; n++) {
        const data = { job_id: minute * 10 + n, status: "error" };
        await shop.post("socialdata/t", { event: "job_finished", data });
      }
      sent.failed += failed;
      await shop.inbox.idle();
    }
    behindMs = 0;
    await shop.post("shop/t", { id: "1", type: "order.paid" });
    await shop.post("socialdata/wrong", "{}");
    await shop.inbox.verifyAgain();
    await shop.inbox.idle();
    const { page, seen } = await open();
    await page.goto(`${shop.url}/`);
    const label = (name: string) => page.locator(`figure.${name} svg`).getAttribute("aria-label");
    expect(await label("done")).toMatch(`done: ${sent.done} in the last hour`);
    expect(await label("failed")).toMatch(`failed: ${sent.failed} in the last hour`);
    expect(await page.locator("figure.done rect").count()).toBeGreaterThan(55);
    expect(await page.locator("figure.failed rect").count()).toBe(7);
    await picture(page, "dashboard-overview");
    expect(seen).toEqual([]);
  });
});

/** What may end the place where a text stands, and what runs where it was ended. */
const breakouts = [
  "",
  '">',
  "'>",
  "`>",
  "-->",
  "]]>",
  "</script>",
  "</style>",
  "</textarea>",
  "</title>",
];
const runs = [
  "<script>alert(1)</script>",
  "<ScRiPt src=//evil.example/x.js></sCrIpT>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<details open ontoggle=alert(1)>",
  "<input autofocus onfocus=alert(1)>",
  "<video><source onerror=alert(1)>",
  "<iframe srcdoc='<script>parent.alert(1)</script>'>",
  "<object data='data:text/html,<script>alert(1)</script>'>",
  "<base href=https://evil.example/>",
  "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  "<form action=https://evil.example/><button autofocus>send</button>",
  "<a href=javascript:alert(1)>look</a>",
];
const payloads = breakouts.flatMap((breakout) => runs.map((run) => breakout + run));

const markup = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'-alert(1)-'",
  "</pre></textarea></title><svg onload=alert(1)>",
  "javascript:alert(1)",
  "{{7*7}}${7*7}",
  "&lt;b&gt;",
  "\u202Egnp.exe\u0000\u001B[31m\uD800",
  "https://evil.example/x.png",
];

/** Of ours there is one script, in the head; and there is nothing that senders would have put there. */
async function isInert(page: Page): Promise<void> {
  const foreign =
    "img, iframe, object, embed, video, math, base, animate, details[ontoggle], input[onfocus], body style, body b b, [href^=javascript], [href^=https], [href^='//'], [action^=https], meta[content*=evil]";
  const counts = [page.locator("script").count(), page.locator(foreign).count()];
  expect([page.url(), ...(await Promise.all(counts))]).toEqual([page.url(), 1, 0]);
}

describe("markup of senders", () => {
  test("stands as text wherever it comes from, and runs nowhere", async () => {
    const shop = await desk({ store: volatile() });
    for (const [n, text] of markup.entries()) {
      const body = { id: `${n} ${text}`, type: text, [text]: text, list: [text] };
      await shop.post("shop/t", body);
      const job = { event: "job_finished", data: { job_id: n, status: text, message: text } };
      await shop.post("socialdata/t", job);
      await shop.post("shop/t", text);
    }
    await shop.inbox.idle();
    const { page, seen } = await open();
    const paths = ["/", "/events", `/events?type=${encodeURIComponent(markup[1] ?? "")}`];
    for (const { key } of (await shop.inbox.list()).events) {
      paths.push(`/events/${key}`, `/events/${key}/delivery`);
    }
    paths.push(`/events?missing=${encodeURIComponent(markup[0] ?? "")}`);
    paths.push(`/act?act=${encodeURIComponent(markup[1] ?? "")}&key=x`);
    for (const path of paths) {
      await page.goto(shop.url + path);
      await isInert(page);
      const text = (await page.locator("body").textContent()) ?? "";
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      expect(text).not.toMatch(/[\u0000\u001B\u202E]/);
    }
    const only = (text: string): boolean => !/status of 40\d/.test(text);
    expect(seen.filter(only)).toEqual([]);
  });

  test(
    "of every kind is text, in lists and on pages of its own",
    { timeout: 120_000 },
    async () => {
      const shop = await desk({ store: volatile() });
      for (const text of payloads)
        await shop.post("shop/t", { id: text, type: text, [text]: text });
      await shop.inbox.idle();
      const { page, seen } = await open();
      const keys: string[] = [];
      let cursor: string | undefined = "";
      while (cursor !== undefined) {
        const { events, cursor: next } = await shop.inbox.list({ cursor: cursor || undefined });
        keys.push(...events.map(({ key }) => key));
        const query = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
        await page.goto(`${shop.url}/events${query}`);
        await isInert(page);
        cursor = next;
      }
      expect(keys.length).toBe(payloads.length);
      for (const key of keys) {
        await page.goto(`${shop.url}/events/${key}`);
        await isInert(page);
      }
      expect(seen).toEqual([]);
    },
  );

  test("in a body that is downloaded stays a file", async () => {
    const shop = await desk({ store: volatile() });
    await shop.post("shop/t", { id: "1", type: "x", text: "<script>alert(1)</script>" });
    await shop.inbox.idle();
    const { page, seen } = await open();
    const key = await shop.keyOf("unhandled");
    await page.goto(`${shop.url}/events/${key}`);
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download the body" }).click();
    expect((await downloading).suggestedFilename()).toBe(`${key}.bin`);
    expect(seen).toEqual([]);
  });
});

describe("everybody can read it", () => {
  test.each([
    ["light", 1100],
    ["dark", 1100],
    ["light", 360],
    ["dark", 360],
  ] as const)("in %s colours, %s pixels wide, by ear and by keyboard", async (colors, width) => {
    const shop = await desk({ store: volatile() });
    await shop.fail(3);
    await shop.post("socialdata/t", "{broken");
    await shop.post("socialdata/wrong", "{}");
    await shop.inbox.verifyAgain();
    const { page, seen } = await open({ colors, width });
    const dead = await shop.keyOf("dead");
    const paths = [
      "/",
      "/?range=7d",
      "/events",
      "/events?state=dead",
      `/events/${dead}`,
      `/events/${await shop.keyOf("refused")}`,
      `/events/${await shop.keyOf("quarantined")}`,
      `/events/${dead}/delivery`,
      `/act?act=replay&key=${dead}`,
      "/act?act=erase&state=dead",
      "/acts",
    ];
    for (const path of paths) {
      await page.goto(shop.url + path);
      expect([path, await barriersOf(page)]).toEqual([path, []]);
      expect([path, await overflowOf(page)]).toEqual([path, 0]);
      expect(await page.locator("h1").count()).toBe(1);
    }
    await page.goto(`${shop.url}/`);
    if (colors === "dark" && width < 1000) await picture(page, "dashboard-phone");
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.locator(".tiles a:focus").count()).toBe(1);
    expect(seen).toEqual([]);
  });
});
