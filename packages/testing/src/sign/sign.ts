/**
 * Deliveries as providers sign them, for tests of handlers without the provider. Written from their documents alone, not
 * from this library's verifiers, and held against the providers' own packages where there are any.
 *
 * @module @webhook-inbox/testing/sign
 */

/**
 * One signer for each provider that signs.
 *
 * @example
 * await send(sign.stripe({ url, secret, body: { id: "evt_1", object: "event", type: "invoice.paid", … } }));
 */
export * as sign from "./signers.ts";
export {
  certificateUrls,
  testCertificate,
  testCertificateKey,
  testFetch,
} from "./test-certificate.ts";
export type { ToSign, WithKey, WithSecret } from "./signers.ts";
export type { OutgoingDelivery } from "../senders/delivery.ts";
