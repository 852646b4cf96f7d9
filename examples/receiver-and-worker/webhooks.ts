/** What both processes share: where events are kept, and whose they are. */

import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";

export const pool = new Pool({ connectionString: process.env.DATABASE_URL });
export const store = postgres(pool, { schema: process.env.SCHEMA ?? "webhook_inbox" });
export const sources = { socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }) };
