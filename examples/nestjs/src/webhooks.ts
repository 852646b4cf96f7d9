import type { Inbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";

export const options = {
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: {
    socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }),
    audata: audata({ token: process.env.AUDATA_TOKEN }),
    "captain-data": captainData({ bearer: process.env.CAPTAIN_DATA_TOKEN }),
  },
};

export type Sources = typeof options.sources;

// From here on @OnWebhook knows the sources, and their types.
declare module "@webhook-inbox/nestjs" {
  interface Register {
    inbox: Inbox<Sources>;
  }
}
