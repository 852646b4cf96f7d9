/** What receiver and workers share: where events are kept, whose they are, and the queue between them. */

import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";

// Workers on other machines need a store that they reach: postgres(pool), for one.
export const store = sqlite(process.env.DATABASE ?? "webhooks.sqlite");
export const sources = { socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }) };
export const queue = process.env.QUEUE ?? "webhooks";
export const connection = { url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" };
