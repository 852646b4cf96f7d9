/**
 * Slack: Events API, slash commands and interactivity. Facts are from https://api.slack.com/apis/events-api,
 * https://api.slack.com/docs/verifying-requests-from-slack, https://api.slack.com/events/url_verification and the types of
 * its package `@slack/bolt`, version 5.1.0.
 */

import * as z from "zod";
import { hmac } from "../verify/hmac.ts";
import { isRecord, readPayloadOrJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { contentId, eventsIn, secondsOf } from "./events.ts";

/** The envelope of the Events API. */
export interface SlackEvent {
  readonly type: "event_callback";
  readonly event_id: string;
  /** Unix seconds. */
  readonly event_time?: number | null | undefined;
  readonly team_id?: string | null | undefined;
  readonly api_app_id?: string | null | undefined;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** A slash command: the fields of its form. */
export interface SlackCommand {
  readonly command: string;
  readonly text?: string | null | undefined;
  readonly response_url?: string | null | undefined;
  readonly trigger_id?: string | null | undefined;
  readonly user_id?: string | null | undefined;
  readonly channel_id?: string | null | undefined;
  readonly team_id?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** What a person did with a message or a view: the JSON in the form's `payload`. */
export interface SlackInteraction {
  readonly type: string;
  readonly trigger_id?: string | null | undefined;
  readonly [key: string]: unknown;
}

const event: z.ZodType<SlackEvent> = z.looseObject({
  type: z.literal("event_callback"),
  event_id: z.string(),
  event_time: z.number().nullish(),
  team_id: z.string().nullish(),
  api_app_id: z.string().nullish(),
  event: z.looseObject({ type: z.string() }),
});
const text = z.string().nullish();
const command: z.ZodType<SlackCommand> = z.looseObject({
  command: z.string(),
  text,
  response_url: text,
  trigger_id: text,
  user_id: text,
  channel_id: text,
  team_id: text,
});
const interaction: z.ZodType<SlackInteraction> = z.looseObject({
  type: z.string(),
  trigger_id: text,
});

/** Types of the inner event, of interactions, and `command`. Further ones: name them in `events`, or handle `"*"`. */
export type SlackEvents = {
  app_home_opened: SlackEvent;
  app_mention: SlackEvent;
  app_uninstalled: SlackEvent;
  channel_created: SlackEvent;
  member_joined_channel: SlackEvent;
  message: SlackEvent;
  reaction_added: SlackEvent;
  reaction_removed: SlackEvent;
  team_join: SlackEvent;
  tokens_revoked: SlackEvent;
  command: SlackCommand;
  block_actions: SlackInteraction;
  message_action: SlackInteraction;
  shortcut: SlackInteraction;
  view_closed: SlackInteraction;
  view_submission: SlackInteraction;
};

/**
 * A source of Slack. `secret` is the app's signing secret. Its answer is empty: a text would be shown to whoever typed a
 * command. Handlers reply through `response_url` or the API.
 */
export const slack: SourceFactory<SlackEvents, "secret" | "token"> = defineProvider({
  name: "slack",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    header: "x-slack-signature",
    prefix: "v0=",
    reads: ["x-slack-request-timestamp"],
    timestamp: { of: ({ header }) => header("x-slack-request-timestamp"), unit: "s" },
    content: ({ header, body }) => [`v0:${header("x-slack-request-timestamp")}:`, body],
  }),
  methods: ["POST"],
  // Three times: at once, after a minute, after five; within 3 seconds each (docs.slack.dev, Events API).
  habits: { redelivers: "automatic", bodyStable: true, ackDeadlineMs: 3000 },
  accepted: { body: "" },
  handshake(delivery) {
    const body = readPayloadOrJson(delivery);
    if (!body.ok || !isRecord(body.value)) return undefined;
    const { type, challenge, ssl_check: sslCheck } = body.value;
    if (type === "url_verification") return { body: String(challenge) };
    // Slack asks now and then whether the certificate is in order.
    return sslCheck === "1" ? { body: "" } : undefined;
  },
  events: {
    app_home_opened: event,
    app_mention: event,
    app_uninstalled: event,
    channel_created: event,
    member_joined_channel: event,
    message: event,
    reaction_added: event,
    reaction_removed: event,
    team_join: event,
    tokens_revoked: event,
    command,
    block_actions: interaction,
    message_action: interaction,
    shortcut: interaction,
    view_closed: interaction,
    view_submission: interaction,
  },
  personal: [
    "*",
    "!type",
    "!event.type",
    "!event_id",
    "!event_time",
    "!team_id",
    "!api_app_id",
    "!command",
  ],
  ...eventsIn({
    content: readPayloadOrJson,
    type(body) {
      if (isRecord(body["event"])) return body["event"]["type"];
      return "command" in body ? "command" : body["type"];
    },
    id: (body) => body["event_id"] ?? body["trigger_id"] ?? contentId(body),
    occurredAt: ({ event_time: eventTime }) => secondsOf(eventTime),
  }),
});
