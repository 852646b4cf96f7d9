/**
 * The inbox in a NestJS application (11 and 12, on Express and on Fastify): `WebhooksModule.forRoot({ … })`.
 *
 * @module @webhook-inbox/nestjs
 */

/** Serves a fetch handler, such as the dashboard: `app.use("/admin", mount(handler))`, on either platform. */
export { mountNode as mount } from "@webhook-inbox/core/node";
export { inboxHealth } from "./inbox-health.ts";
export { getInboxToken, InjectInbox } from "./inject-inbox.decorator.ts";
export { OnWebhook, type OnWebhookOptions } from "./on-webhook.decorator.ts";
export type { Register } from "./register.ts";
export {
  WebhooksModule,
  type WebhooksModuleAsyncOptions,
  type WebhooksModuleOptions,
  type WebhooksOptionsFactory,
} from "./webhooks.module.ts";
