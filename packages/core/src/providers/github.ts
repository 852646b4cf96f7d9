/**
 * GitHub. Facts are from https://docs.github.com/en/webhooks (validating deliveries, best practices, events and payloads)
 * and the schemas of its package `@octokit/webhooks-schemas`, version 7.6.1.
 */

import * as z from "zod";
import { headerOf } from "../model/delivery.ts";
import { hmac } from "../verify/hmac.ts";
import { readPayloadOrJson } from "./content.ts";
import { defineProvider, type SourceFactory } from "./define-provider.ts";
import { eventsIn } from "./events.ts";

interface Loose {
  readonly [key: string]: unknown;
}

/** A repository, as GitHub names it in every event of one. */
export interface GitHubRepository extends Loose {
  readonly id: number;
  readonly full_name: string;
}

/** What most webhooks of GitHub carry. */
export interface GitHubPayload extends Loose {
  readonly action?: string | undefined;
  readonly repository?: GitHubRepository | undefined;
  readonly sender?: (Loose & { readonly login: string }) | undefined;
  readonly installation?: (Loose & { readonly id: number }) | undefined;
}

export interface GitHubPush extends GitHubPayload {
  readonly ref: string;
  readonly before: string;
  readonly after: string;
  readonly commits: readonly (Loose & { readonly id: string; readonly message: string })[];
  readonly repository: GitHubRepository;
}

export interface GitHubPullRequest extends GitHubPayload {
  readonly action: string;
  readonly number: number;
  readonly pull_request: Loose & { readonly number: number; readonly title: string };
  readonly repository: GitHubRepository;
}

export interface GitHubIssue extends GitHubPayload {
  readonly action: string;
  readonly issue: Loose & { readonly number: number; readonly title: string };
  readonly repository: GitHubRepository;
}

const repository = z.looseObject({ id: z.number(), full_name: z.string() });
const common = {
  action: z.string().optional(),
  repository: repository.optional(),
  sender: z.looseObject({ login: z.string() }).optional(),
  installation: z.looseObject({ id: z.number() }).optional(),
};
const payload: z.ZodType<GitHubPayload> = z.looseObject(common);
const push: z.ZodType<GitHubPush> = z.looseObject({
  ...common,
  ref: z.string(),
  before: z.string(),
  after: z.string(),
  commits: z.array(z.looseObject({ id: z.string(), message: z.string() })),
  repository,
});
const pullRequest: z.ZodType<GitHubPullRequest> = z.looseObject({
  ...common,
  action: z.string(),
  number: z.number(),
  pull_request: z.looseObject({ number: z.number(), title: z.string() }),
  repository,
});
const issue: z.ZodType<GitHubIssue> = z.looseObject({
  ...common,
  action: z.string(),
  issue: z.looseObject({ number: z.number(), title: z.string() }),
  repository,
});

/** The event, and the action where it has one: `push`, `issues.opened`. Further ones: name them in `events`, or handle `"*"`. */
export type GitHubEvents = {
  ping: GitHubPayload;
  push: GitHubPush;
  create: GitHubPayload;
  delete: GitHubPayload;
  fork: GitHubPayload;
  "pull_request.opened": GitHubPullRequest;
  "pull_request.closed": GitHubPullRequest;
  "pull_request.reopened": GitHubPullRequest;
  "pull_request.synchronize": GitHubPullRequest;
  "pull_request.edited": GitHubPullRequest;
  "pull_request_review.submitted": GitHubPayload;
  "issues.opened": GitHubIssue;
  "issues.closed": GitHubIssue;
  "issues.reopened": GitHubIssue;
  "issues.edited": GitHubIssue;
  "issues.labeled": GitHubIssue;
  "issue_comment.created": GitHubIssue;
  "release.published": GitHubPayload;
  "workflow_run.completed": GitHubPayload;
  "workflow_job.completed": GitHubPayload;
  "check_run.completed": GitHubPayload;
  "check_suite.completed": GitHubPayload;
  "deployment_status.created": GitHubPayload;
  "installation.created": GitHubPayload;
  "installation.deleted": GitHubPayload;
  "installation_repositories.added": GitHubPayload;
  "installation_repositories.removed": GitHubPayload;
};

/**
 * A source of GitHub: of a repository, an organisation or an App. Its signature covers the body and nothing beside it: the
 * event's name and its id (`X-GitHub-Delivery`, the same when it is redelivered) stand in headers that whoever has caught
 * a delivery could change. `dedup: "body"` then knows it again all the same; two events with equal bodies are one by it.
 */
export const github: SourceFactory<GitHubEvents, "secret" | "token"> = defineProvider({
  name: "github",
  auth: ["secret", "token"],
  signature: hmac({
    algorithm: "sha256",
    encoding: "hex",
    header: "x-hub-signature-256",
    prefix: "sha256=",
  }),
  methods: ["POST"],
  // "GitHub does not automatically redeliver failed webhook deliveries": by hand or API, within three days. 10 seconds.
  habits: { redelivers: "manual", bodyStable: true, ackDeadlineMs: 10_000 },
  events: {
    ping: payload,
    push,
    create: payload,
    delete: payload,
    fork: payload,
    "pull_request.opened": pullRequest,
    "pull_request.closed": pullRequest,
    "pull_request.reopened": pullRequest,
    "pull_request.synchronize": pullRequest,
    "pull_request.edited": pullRequest,
    "pull_request_review.submitted": payload,
    "issues.opened": issue,
    "issues.closed": issue,
    "issues.reopened": issue,
    "issues.edited": issue,
    "issues.labeled": issue,
    "issue_comment.created": issue,
    "release.published": payload,
    "workflow_run.completed": payload,
    "workflow_job.completed": payload,
    "check_run.completed": payload,
    "check_suite.completed": payload,
    "deployment_status.created": payload,
    "installation.created": payload,
    "installation.deleted": payload,
    "installation_repositories.added": payload,
    "installation_repositories.removed": payload,
  },
  personal: [
    "*",
    "!action",
    "!ref",
    "!before",
    "!after",
    "!number",
    "!hook_id",
    "!repository.id",
    "!repository.full_name",
    "!installation.id",
    "!issue.number",
    "!pull_request.number",
  ],
  ...eventsIn({
    // The content type set at the webhook is JSON, or a form with JSON in `payload`.
    content: readPayloadOrJson,
    type({ action }, { headers }) {
      const event = headerOf(headers, "x-github-event") ?? "";
      return event === "" || typeof action !== "string" ? event : `${event}.${action}`;
    },
    id: (_, { headers }) => headerOf(headers, "x-github-delivery"),
  }),
});
