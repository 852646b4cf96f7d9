/** Acme, held to the suite for providers. */

import { createHmac } from "node:crypto";
import { test } from "node:test";
import { providerSuite } from "@webhook-inbox/testing/provider";
import { acme } from "./acme.ts";

providerSuite({
  test: (name, body) => void test(name, body),
  secrets: ["a secret of Acme's", "the one that replaces it"],
  source: (secret, dedup) => acme({ secret, dedup }),
  sign({ url, body, secret, at }) {
    const time = String(Math.floor(at / 1000));
    const mac = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
    const headers = { "acme-timestamp": time, "acme-signature": `sha256=${mac}` };
    return { method: "POST", url, headers, body };
  },
  toleranceMs: 300_000,
  examples: [
    {
      body: '{"id":"evt_1","type":"order.paid","created":"2026-01-02T03:04:05Z","order":{"number":"A-1","total":12.5}}',
      types: ["order.paid"],
      ids: ["evt_1"],
    },
  ],
});
