/**
 * Shopify. Facts are from https://shopify.dev/docs/apps/build/webhooks (delivery structure, verify deliveries, ignore
 * duplicates, mandatory privacy webhooks) and its package `@shopify/shopify-api`, version 13.1.0.
 */

import * as z from "zod";
import { headerOf, type Delivery } from "../model/delivery.ts";
import { hmac } from "../verify/hmac.ts";
import { instantOf } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

/** A resource as its topic delivers it: the body has no envelope. */
export interface ShopifyResource {
  /** May be beyond 2^53, where its last digits are lost: `admin_graphql_api_id` is text. */
  readonly id: number;
  readonly admin_graphql_api_id?: string | null | undefined;
  readonly [key: string]: unknown;
}

export interface ShopifyOrder extends ShopifyResource {
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly currency?: string | null | undefined;
  /** Decimal, as text. */
  readonly total_price?: string | null | undefined;
  readonly financial_status?: string | null | undefined;
  readonly created_at?: string | null | undefined;
  readonly line_items?: readonly { readonly [key: string]: unknown }[] | null | undefined;
}

/** What the mandatory privacy webhooks carry. */
export interface ShopifyPrivacyRequest {
  readonly shop_id: number;
  readonly shop_domain: string;
  readonly customer?:
    | { readonly id?: number | null | undefined; readonly [key: string]: unknown }
    | null
    | undefined;
  readonly orders_requested?: readonly number[] | null | undefined;
  readonly orders_to_redact?: readonly number[] | null | undefined;
  readonly [key: string]: unknown;
}

const text = z.string().nullish();
const fields = { id: z.number(), admin_graphql_api_id: z.string().nullish() };
const resource: z.ZodType<ShopifyResource> = z.looseObject(fields);
const order: z.ZodType<ShopifyOrder> = z.looseObject({
  ...fields,
  name: text,
  email: text,
  currency: text,
  total_price: text,
  financial_status: text,
  created_at: text,
  line_items: z.array(z.looseObject({})).nullish(),
});
const privacyRequest: z.ZodType<ShopifyPrivacyRequest> = z.looseObject({
  shop_id: z.number(),
  shop_domain: z.string(),
  customer: z.looseObject({ id: z.number().nullish() }).nullish(),
  orders_requested: z.array(z.number()).nullish(),
  orders_to_redact: z.array(z.number()).nullish(),
});

/** Topics of Shopify with their data. Further ones: name them in `events`, or handle `"*"`. */
export type ShopifyEvents = {
  "orders/create": ShopifyOrder;
  "orders/updated": ShopifyOrder;
  "orders/paid": ShopifyOrder;
  "orders/cancelled": ShopifyOrder;
  "orders/fulfilled": ShopifyOrder;
  "refunds/create": ShopifyResource;
  "products/create": ShopifyResource;
  "products/update": ShopifyResource;
  "products/delete": ShopifyResource;
  "customers/create": ShopifyResource;
  "customers/update": ShopifyResource;
  "fulfillments/create": ShopifyResource;
  "app/uninstalled": ShopifyResource;
  "customers/data_request": ShopifyPrivacyRequest;
  "customers/redact": ShopifyPrivacyRequest;
  "shop/redact": ShopifyPrivacyRequest;
};

/** The webhooks of "events" name their headers without the `X-`. */
function named({ headers }: Delivery, name: string): string | undefined {
  const family = headerOf(headers, "shopify-hmac-sha256") === undefined ? "x-shopify" : "shopify";
  return headerOf(headers, `${family}-${name}`);
}

/**
 * A source of Shopify. `secret` is the app's client secret (both while it is rotated: "it can take up to one hour"). The
 * signature covers the body alone: topic and id stand in headers beside it, so `dedup: "body"` is offered; two events with
 * equal bodies are one by it.
 */
export const shopify: SourceFactory<ShopifyEvents, "secret" | "token"> = defineProvider({
  name: "shopify",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "base64",
    header: ["x-shopify-hmac-sha256", "shopify-hmac-sha256"],
  }),
  methods: ["POST"],
  // "Retries 8 times over the next 4 hours", then the subscription is removed. It waits 5 seconds.
  habits: { redelivers: "automatic", bodyStable: true, ackDeadlineMs: 5000 },
  events: {
    "orders/create": order,
    "orders/updated": order,
    "orders/paid": order,
    "orders/cancelled": order,
    "orders/fulfilled": order,
    "refunds/create": resource,
    "products/create": resource,
    "products/update": resource,
    "products/delete": resource,
    "customers/create": resource,
    "customers/update": resource,
    "fulfillments/create": resource,
    "app/uninstalled": resource,
    "customers/data_request": privacyRequest,
    "customers/redact": privacyRequest,
    "shop/redact": privacyRequest,
  },
  personal: [
    "*",
    "!id",
    "!admin_graphql_api_id",
    "!created_at",
    "!updated_at",
    "!currency",
    "!shop_id",
  ],
  ...eventsIn({
    type: (_, delivery) => named(delivery, "topic"),
    id: (_, delivery) => named(delivery, "webhook-id"),
    occurredAt: (_, delivery) => instantOf(named(delivery, "triggered-at")),
  }),
});
