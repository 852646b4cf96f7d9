/** An expectation as it is kept: an event that nobody has sent, and that is due when its webhook is late. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import { eventKey } from "../event-key.ts";
import type { NewEvent } from "../model/event.ts";

/** Type and method of an expectation, which nobody has sent. */
const expectedType = "expected";
const method = "EXPECT";

/** The expectation of a source for `ref`, due after `withinMs`. */
function expectationOf(source: string, ref: string, withinMs: number, now: number): NewEvent {
  return {
    key: eventKey(source, `${expectedType}\0${ref}`),
    source,
    id: ref,
    type: expectedType,
    identified: false,
    occurredAt: undefined,
    notes: [],
    quarantine: undefined,
    copies: 1,
    conflictKey: undefined,
    dueAfterMs: withinMs,
    delivery: {
      method,
      target: ref,
      account: undefined,
      segment: undefined,
      headers: [],
      body: new Uint8Array(),
      reconstructed: false,
      verifiedWith: "code",
      receivedAt: now,
      contentHash: ref,
    },
  };
}

/** The same, checked. Throws `OPTION_INVALID`. */
export function expectedOf(
  source: ConfiguredSource | undefined,
  name: string,
  ref: string | number,
  withinMs: number,
  now: number,
): NewEvent {
  const what = `expect("${name}", …)`;
  if (source === undefined) throw invalid(`${what}: there is no such source.`);
  if (source.poll === undefined || source.gate === undefined || source.dedup === "body") {
    throw invalid(
      `${what}: this source cannot be asked. It needs an API (socialData and captainData take one as \`api\`), one account, ` +
        'and dedup: "id".',
    );
  }
  const text = String(ref);
  if (!/^(?!\.+$)[\w.:-]{1,128}$/.test(text)) {
    throw invalid(`${what}: what is expected is named by a job's id: letters, digits and _.:-`);
  }
  if (!(Number.isSafeInteger(withinMs) && withinMs >= 0)) {
    throw invalid(`${what}: withinMs must be a whole number of milliseconds.`);
  }
  return expectationOf(name, text, withinMs, now);
}

export function isExpectation({ event, delivery }: Claim): boolean {
  return !event.identified && delivery.method === method;
}

function invalid(message: string): WebhookInboxError {
  return new WebhookInboxError("OPTION_INVALID", message);
}
