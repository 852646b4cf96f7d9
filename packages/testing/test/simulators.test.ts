/** The simulated providers behave as their documents say, towards a real inbox. */

import { createInbox, type WebhookEvent } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import {
  captainData,
  captainDataApi,
  retryAdvice,
} from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { simulate } from "@webhook-inbox/testing/simulate";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const host = "https://hooks.example.com";

/** An inbox that the world reaches as `host`. */
async function receiver() {
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: {
      socialdata: socialData({ token: "t" }),
      audata: audata({ token: "t" }),
      "captain-data": captainData({ bearer: "key" }),
    },
    logger: false,
  });
  const handled: WebhookEvent[] = [];
  for (const source of ["socialdata", "audata", "captain-data"] as const) {
    inbox.on(source, "*", (event) => void handled.push(event));
  }
  const { url } = await serve(inbox);
  return { inbox, handled, tunnel: (given: string) => given.replace(host, url) };
}

describe("SocialData", () => {
  async function simulated() {
    const { tunnel, ...rest } = await receiver();
    const provider = await simulate.socialData({ tunnel });
    onTestFinished(() => provider.close());
    return { provider, ...rest };
  }

  test("one URL for all jobs, called when a job ends and not before", async () => {
    const { provider, handled, inbox } = await simulated();
    const [first, second] = [provider.startJob(), provider.startJob()];
    provider.saveSettings({ webhookUrl: `${host}/webhooks/socialdata/t` });
    provider.processJob(first);
    expect(provider.calls).toEqual([]);
    expect(await provider.finishJob(first, { status: "success" })).toMatchObject({ status: 200 });
    await provider.finishJob(second, { status: "error" });
    await inbox.idle();
    expect(handled.map(({ id, data }) => [id, data])).toEqual([
      [
        `job:${first}:success`,
        {
          job_id: first,
          status: "success",
          result: { datafile_url: "https://s3.amazonaws.com/..." },
        },
      ],
      [`job:${second}:error`, { job_id: second, status: "error", message: "Insufficient balance" }],
    ]);
  });

  test("a failed call is not made again; the status stays at its API, for the one who asks with the key", async () => {
    const { provider, handled } = await simulated();
    const job = provider.startJob();
    provider.saveSettings({ webhookUrl: `${host}/webhooks/socialdata/wrong` });
    expect(await provider.finishJob(job, { status: "success" })).toMatchObject({ status: 401 });
    expect(provider.calls).toHaveLength(1);
    expect(handled).toEqual([]);
    const ask = async (path: string, key = "test-key") => {
      const headers = { authorization: `Bearer ${key}` };
      const response = await fetch(`${provider.url}${path}`, { headers });
      return { status: response.status, body: await response.json() };
    };
    expect(await ask(`/jobs/${job}`)).toMatchObject({ status: 200, body: { status: "success" } });
    expect((await ask(`/jobs/${job}`, "other")).status).toBe(401);
    expect((await ask("/jobs/999")).status).toBe(404);
  });

  test("without a URL nothing is called, and a receiver that is away is called once", async () => {
    const { provider } = await simulated();
    expect(await provider.finishJob(provider.startJob(), { status: "success" })).toBeUndefined();
    provider.saveSettings({ webhookUrl: "http://127.0.0.1:1/" });
    const call = await provider.finishJob(provider.startJob(), { status: "success" });
    expect(call).toMatchObject({ status: undefined });
    expect(provider.calls).toHaveLength(1);
  });
});

describe("SocialData's monitors", () => {
  const seen = {
    event: "new_tweet",
    data: { id_str: "7", full_text: "hello" },
    meta: { monitor_id: "m", monitor_type: "user_tweets" },
  } as const;

  test("are signed with the secret, and with the literal NULL while there is none", async () => {
    const store = memory({ acceptLoss: true });
    const inbox = createInbox({
      store,
      sources: { socialdata: socialData({ secret: "s3cret-of-account", requireSignature: true }) },
      logger: false,
    });
    const { url } = await serve(inbox);
    const provider = await simulate.socialData();
    onTestFinished(() => provider.close());
    provider.saveSettings({ webhookUrl: `${url}/webhooks/socialdata` });
    expect(await provider.monitorSaw(seen)).toMatchObject({ status: 401, ok: false });
    provider.setSecret("s3cret-of-account");
    expect(await provider.monitorSaw(seen)).toMatchObject({ status: 200, ok: true });
    expect(await provider.finishJob(provider.startJob(), { status: "success" })).toMatchObject({
      status: 401,
    });
  });

  test("an unsigned id of a request is nobody's word: the same sight is one event", async () => {
    const { tunnel, handled, inbox } = await receiver();
    const provider = await simulate.socialData({ tunnel });
    onTestFinished(() => provider.close());
    provider.saveSettings({ webhookUrl: `${host}/webhooks/socialdata/t` });
    await provider.monitorSaw(seen);
    await provider.monitorSaw(seen);
    await inbox.idle();
    expect(handled.map(({ id }) => id)).toEqual(["new_tweet:m:7"]);
  });
});

test("a job of SocialData ends once", async () => {
  const provider = await simulate.socialData();
  onTestFinished(() => provider.close());
  const job = provider.startJob();
  await provider.finishJob(job, { status: "error" });
  await expect(provider.finishJob(job, { status: "success" })).rejects.toThrow("has ended");
  expect(() => provider.processJob(job)).toThrow("has ended");
});

test("a receiver that answers 201 has failed, and one that hangs is given up", async () => {
  const created = await listen((_, response) => response.writeHead(201).end());
  const hanging = await listen(() => undefined);
  const provider = await simulate.socialData({ timeoutMs: 100 });
  onTestFinished(() => provider.close());
  provider.saveSettings({ webhookUrl: created.url });
  expect(await provider.finishJob(provider.startJob(), { status: "success" })).toMatchObject({
    status: 201,
    ok: false,
  });
  provider.saveSettings({ webhookUrl: hanging.url });
  expect(await provider.finishJob(provider.startJob(), { status: "success" })).toMatchObject({
    status: undefined,
    ok: false,
  });
});

describe("Audata", () => {
  const john = {
    id: 1_788_495,
    first_name: "John",
    phone_number: "0412123123",
    custom_data: { team: ["a", "b"] },
  };

  test.each(["brackets", "dots", "json"] as const)(
    "a webhook has one event and one method (GET with %s)",
    async (nesting) => {
      const { tunnel, handled, inbox } = await receiver();
      const provider = simulate.audata({ tunnel, nesting });
      const endpoint = `${host}/webhooks/audata/t`;
      provider.newWebhook({ event: "Listener.updated", endpoint, method: "GET" });
      provider.newWebhook({ event: "Prize.created", endpoint, method: "POST" });
      expect(await provider.change("Listener", "deleted", john)).toEqual([]);
      const [line] = await provider.change("Listener", "updated", john);
      await provider.change("Prize", "created", { id: 2, listener_id: null });
      await inbox.idle();
      expect(handled.map(({ type }) => type)).toEqual(["Listener.updated", "Prize.created"]);
      expect(handled[0]).toMatchObject({ id: line?.webhookCallId, data: { sender: john } });
      expect(provider.logs.get(line?.webhookCallId ?? "")).toMatchObject({ status: 200 });
    },
  );

  test("an endpoint without https is rejected", () => {
    const provider = simulate.audata();
    const endpoint = "http://hooks.example.com/";
    expect(() =>
      provider.newWebhook({ event: "Listener.updated", endpoint, method: "GET" }),
    ).toThrow("https://");
  });
});

describe("Captain Data", () => {
  async function simulated() {
    const { tunnel, ...rest } = await receiver();
    const provider = await simulate.captainData({ tunnel });
    onTestFinished(() => provider.close());
    for (const event of ["created", "succeeded", "failed"] as const) {
      provider.addWebhook({
        event,
        url: `${host}/webhooks/captain-data/${event}`,
        headers: { Authorization: "Bearer key" },
      });
    }
    const api = captainDataApi({
      apiKey: "test-key",
      projectUid: "test-project",
      baseUrl: `${provider.url}/v3`,
    });
    return { provider, api, ...rest };
  }
  const good = { input: { url: "https://www.linkedin.com/in/a" } };
  const bad = { ...good, error: "404 Not Found" };

  test("one type for each webhook; succeeded if at least one input does, failed if none does", async () => {
    const { provider, handled, inbox } = await simulated();
    const [one, other] = [await provider.startJob(), await provider.startJob()];
    await provider.finishJob(one, [good, bad]);
    await provider.finishJob(other, [bad, bad]);
    await inbox.idle();
    expect(handled.map(({ id }) => id).toSorted()).toEqual(
      [`${one}:created`, `${other}:created`, `${one}:succeeded`, `${other}:failed`].toSorted(),
    );
  });

  test("a webhook that was missed is asked for by `retryWebhook`; one that was not is a duplicate", async () => {
    const { provider, api, handled, inbox } = await simulated();
    const job = await provider.startJob();
    await provider.finishJob(job, [good]);
    await api.retryWebhook(job);
    await inbox.idle();
    expect(provider.calls.map(({ event, status }) => [event, status])).toEqual([
      ["created", 200],
      ["succeeded", 200],
      ["succeeded", 200],
    ]);
    expect(handled).toHaveLength(2);
  });

  test("failed inputs are told apart by whether they are worth a retry", async () => {
    const { provider, api } = await simulated();
    const job = await provider.startJob();
    const reasons = {
      "404: profile not found": "never",
      "The resource is inaccessible": "never",
      "Invalid LinkedIn URL": "never",
      "Invalid LinkedIn profile URL": "never",
      "Incorrect input": "never",
      "incorrect inputs": "never",
      "The input is invalid": "never",
      "URL is malformed": "never",
      "400 Bad Request": "never",
      "Invalid session cookie": "after_fix",
      "cookie not found": "after_fix",
      "Invalid input: session expired": "after_fix",
      "You were logged out of LinkedIn": "after_fix",
      "account needs to be reconnected": "after_fix",
      "API timeout": "retry",
      "Request timed out": "retry",
      "Timeout: profile not found in 30s": "retry",
      "503 Service Unavailable": "retry",
      "Internal server error": "retry",
      ECONNRESET: "retry",
      "Error while completing action: cannot re-send connection request yet.": "unknown",
      "Limit of 500 connections reached": "unknown",
      "Catalog entry missing": "unknown",
    };
    await provider.finishJob(
      job,
      Object.keys(reasons).map((error) => ({ input: { url: "https://x/404" }, error })),
    );
    const inputs = await api.inputs(job);
    expect(inputs.map(retryAdvice)).toEqual(Object.values(reasons));
    expect(retryAdvice({ error: { status_code: 404, message: "gone" } })).toBe("never");
    expect(retryAdvice({ errors: [{ message: "API timeout" }] })).toBe("retry");
    expect(retryAdvice({ input: { message: "your session, 404" }, error: "API timeout" })).toBe(
      "retry",
    );
    expect(retryAdvice({ status: "succeeded", message: "profile: not found" })).toBe("unknown");
    expect(retryAdvice(undefined)).toBe("unknown");
    expect(retryAdvice({ input: { url: "https://x/timeout" }, status: "succeeded" })).toBe(
      "unknown",
    );
  });

  test("its custom headers are sent as they are set, the content type among them", async () => {
    const { tunnel, inbox } = await receiver();
    const provider = await simulate.captainData({ tunnel });
    onTestFinished(() => provider.close());
    provider.addWebhook({
      event: "created",
      url: `${host}/webhooks/captain-data`,
      headers: { Authorization: "Bearer key", "Content-Type": "text/plain" },
    });
    await provider.startJob();
    const { events } = await inbox.list();
    const { delivery } = (await inbox.get(events[0]?.key ?? "")) ?? {};
    expect(delivery?.headers.join()).toMatch(/content-type,text\/plain(?:,|$)/i);
    await expect(provider.finishJob(await provider.startJob(), [])).rejects.toThrow("at least one");
  });

  test("its API's errors have a code and say what was asked, without the key", async () => {
    const { provider, api } = await simulated();
    await expect(api.inputs("unknown")).rejects.toMatchObject({
      code: "PROVIDER_FAILED",
      message: expect.stringContaining("GET /jobs/unknown/inputs: answered 404") as string,
    });
    await expect(api.inputs("../../v4")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await provider.close().catch(() => undefined);
    const away = captainDataApi({ apiKey: "hush", projectUid: "p", baseUrl: "http://127.0.0.1:1" });
    const error = await away.retryWebhook("a").catch((one: unknown) => one);
    expect(error).toMatchObject({ code: "PROVIDER_FAILED" });
    expect(String(error)).not.toContain("hush");
    const { url } = await listen((_, response) => response.end("<html>"));
    expect(() => captainDataApi({ apiKey: "", projectUid: "p" })).toThrow("apiKey is not set");
    const odd = captainDataApi({ apiKey: "k", projectUid: "p", baseUrl: `${url}/` });
    await expect(odd.inputs("a")).rejects.toThrow("answered no JSON");
  });
});
