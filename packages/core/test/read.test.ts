import { createInbox } from "@webhook-inbox/core";
import { generic } from "@webhook-inbox/core/providers/generic";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const order = { "order.created": z.object({ id: z.string(), total: z.coerce.number() }) };
const shop = (events = order) => generic({ token: "t", id: "id", type: "type", events });
const unreadable = expect.objectContaining({ code: "EVENT_UNREADABLE" }) as unknown;

function inboxOn(file: string, source = shop()) {
  const inbox = createInbox({
    store: sqlite(file),
    sources: { shop: source },
    logger: false,
    work: false,
  });
  onTestFinished(() => inbox.close());
  const keyOf = async (body: string, token = "t"): Promise<string> => {
    const url = `http://inbox.test/webhooks/shop/${token}`;
    await inbox.fetch(new Request(url, { method: "POST", body }));
    await inbox.verifyAgain();
    return (await inbox.list({ limit: 1 })).events[0]?.key ?? "";
  };
  return { inbox, keyOf };
}

test("an event is read as handlers get it", async () => {
  const { inbox, keyOf } = inboxOn(temporaryFile());
  const key = await keyOf('{"id":"1","type":"order.created","total":"12.5"}');
  const event = await inbox.read(key);
  expect(event).toMatchObject({ key, source: "shop", type: "order.created", id: "1", notes: [] });
  expect(event?.data).toEqual({ id: "1", total: 12.5 });
});

test("what is not there, or was erased, is undefined", async () => {
  const { inbox, keyOf } = inboxOn(temporaryFile());
  const key = await keyOf('{"id":"1","type":"order.created","total":1}');
  expect(await inbox.read("0".repeat(26))).toBeUndefined();
  await inbox.erase(key);
  expect(await inbox.read(key)).toBeUndefined();
});

test("what no handler would get is refused, and the cause is said", async () => {
  const { inbox, keyOf } = inboxOn(temporaryFile());
  const broken = await keyOf('{"id":"2","type":"order.created","total":"many"}');
  await expect(inbox.read(broken)).rejects.toThrow(unreadable);
  await expect(inbox.read(broken)).rejects.toMatchObject({
    cause: { message: expect.stringContaining("total") as unknown },
  });
  const refused = await keyOf('{"id":"3","type":"order.created","total":1}', "wrong");
  expect((await inbox.get(refused))?.event.state).toBe("refused");
  await expect(inbox.read(refused)).rejects.toThrow(/not proved who sent it/);
});

test("an event whose source was taken out of the configuration is refused", async () => {
  const file = temporaryFile();
  const { keyOf } = inboxOn(file);
  const key = await keyOf('{"id":"1","type":"order.created","total":1}');
  const other = createInbox({
    store: sqlite(file),
    sources: { other: shop() },
    logger: false,
    work: false,
  });
  onTestFinished(() => other.close());
  await expect(other.read(key)).rejects.toThrow(/its source is not configured/);
});
