/**
 * The timing of comparisons: credentials that are wrong at the first byte and at the last one are judged in pairs, many times,
 * each pair in an order of chance. If the time that it takes says which of them it was, a secret could be found byte by byte.
 * Student's t over the differences says whether it does: drift, as of a machine that warms up, is in both of a pair.
 */

import { createHmac } from "node:crypto";
import { createInbox, hmac } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { generic } from "@webhook-inbox/core/providers/generic";
import { matchOf } from "../../packages/core/src/verify/compare.ts";
import { seeded } from "../support/random.ts";

export interface TimingReport {
  readonly samples: number;
  readonly seed: number;
  /** |t| of each comparison. */
  readonly t: Readonly<
    Record<"tokens" | "tokens of deliveries" | "signatures of deliveries", number>
  >;
  /** That of the first one with `===` in its place, in which it must be seen. Whole deliveries have more noise than that. */
  readonly t_control: number;
  /** Deliveries that were answered with anything but 401. */
  readonly not_401: number;
}

/** Two credentials of equal length. */
interface Pair {
  readonly atFirst: Buffer;
  readonly atLast: Buffer;
}

/** Of pairs that differ most, which are about something else. */
const croppedShare = 0.1;
const warmUps = 2000;
/** As long as a credential may be, so that a comparison that ends early ends much earlier. */
const length = 8192;
const zero = 48;

export async function timingRun(samples: number, seed: number): Promise<TimingReport> {
  const random = seeded(seed);
  const secret = "s".repeat(length);
  const tokens = wrongOf(secret);
  const held = [{ name: "bearer#1", value: secret, notBefore: -Infinity, notAfter: Infinity }];
  const body = '{"id":"1"}';
  const signatures = wrongOf(createHmac("sha256", secret).update(body).digest("hex"));
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      bearing: generic({ bearer: secret }),
      signed: generic({
        signature: hmac({ algorithm: "sha256", encoding: "hex", header: "x-signature" }),
        secret,
      }),
    },
    work: false,
    logger: false,
  });
  let not401 = 0;
  async function asked(source: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const given = { method: "POST", headers, body };
    const { status } = await inbox.fetch(
      new Request(`http://inbox.test/webhooks/${source}`, given),
    );
    if (status !== 401) not401 += 1;
  }
  const askedWith = (given: string): Promise<void> =>
    asked("bearing", { authorization: `Bearer ${given}` });
  const measured = (pair: Pair, act: (given: string) => unknown): Promise<number> =>
    studentOf(pair, act, { samples, random });
  try {
    return {
      samples,
      seed,
      t: {
        tokens: await measured(tokens, (given) => matchOf(given, held)),
        "tokens of deliveries": await measured(tokens, askedWith),
        "signatures of deliveries": await measured(signatures, (given) =>
          asked("signed", { "x-signature": given }),
        ),
      },
      t_control: await measured(tokens, (given) => given === secret),
      not_401: not401,
    };
  } finally {
    await inbox.close();
  }
}

/** The same text, wrong in one place. */
function wrongOf(right: string): Pair {
  const at = (index: number): Buffer => {
    const bytes = Buffer.from(right);
    bytes[index] = bytes.at(index) === zero ? zero + 1 : zero;
    return bytes;
  };
  return { atFirst: at(0), atLast: at(right.length - 1) };
}

async function studentOf(
  { atFirst, atLast }: Pair,
  act: (given: string) => unknown,
  { samples, random }: { readonly samples: number; readonly random: () => number },
): Promise<number> {
  async function nsOf(bytes: Buffer): Promise<number> {
    // A text of its own each time: where one lies in memory would say which it is.
    const given = bytes.toString("latin1");
    const began = process.hrtime.bigint();
    const answer = act(given);
    if (answer instanceof Promise) await answer;
    return Number(process.hrtime.bigint() - began);
  }
  const differences: number[] = [];
  for (let n = -warmUps; n < samples; n++) {
    const isFirst = random() < 0.5;
    const one = await nsOf(isFirst ? atFirst : atLast);
    const other = await nsOf(isFirst ? atLast : atFirst);
    if (n >= 0) differences.push(isFirst ? one - other : other - one);
  }
  const kept = differences
    .toSorted((a, b) => Math.abs(a) - Math.abs(b))
    .slice(0, Math.floor(samples * (1 - croppedShare)));
  const mean = kept.reduce((sum, ns) => sum + ns, 0) / kept.length;
  const variance = kept.reduce((sum, ns) => sum + (ns - mean) ** 2, 0) / (kept.length - 1);
  return Math.round(Math.abs(mean / Math.sqrt(variance / kept.length)) * 100) / 100;
}
