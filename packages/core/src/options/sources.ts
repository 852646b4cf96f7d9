/** The sources among the options: checked, with their credentials found and their verifiers made. */

import type { CredentialKind, Credentials } from "../contracts/credentials.ts";
import type {
  ConfiguredSource,
  Gate,
  SecretUse,
  Source,
  SourceRetry,
  Sources,
} from "../contracts/source.ts";
import { isWebhookInboxError, refuseUnknown, WebhookInboxError } from "../errors.ts";
import {
  challengeKeyring,
  credentialKinds,
  signatureKinds,
  verifiersOf,
} from "../verify/credentials.ts";
import { Remembered } from "../verify/remembered.ts";
import { laneRuleOf } from "./lanes.ts";
import { delaysOf, invalid, oneOf, wholeNumber } from "./checks.ts";

/** The environment that options are completed from. */
export type Environment = Readonly<Record<string, string | undefined>>;

const known = {
  source: [
    "auth",
    "events",
    "dedup",
    "toleranceMs",
    "bodyBytesMax",
    "handlersMax",
    "retry",
    "orderBy",
    "onDeadHead",
    "lanes",
  ],
  retry: ["delaysMs", "types"],
};
const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/i;

/** Throws `WebhookInboxError` for the first thing that is wrong. */
export function sourcesOf(
  sources: Sources,
  defaults: SourceDefaults,
  environment: Environment,
): ReadonlyMap<string, ConfiguredSource> {
  const entries = Object.entries(sources ?? {});
  if (entries.length === 0) {
    throw invalid("sources names none. Give at least one, such as { audata: audata({ token }) }.");
  }
  return new Map(
    entries.map(([name, source]) => [name, configured(name, source, defaults, environment)]),
  );
}

function configured(
  name: string,
  source: Source,
  defaults: SourceDefaults,
  environment: Environment,
): ConfiguredSource {
  const where = `source "${name}"`;
  const { provider, events, options, find } = source;
  if (typeof provider?.identify !== "function" || typeof options !== "object") {
    throw invalid(
      `${where}: is no source. Call the provider's function: ${name}: audata({ token }).`,
    );
  }
  if (!namePattern.test(name)) {
    throw invalid(
      `${where}: a source's name is a segment of its URL: letters, digits, ".", "_" and "-".`,
    );
  }
  refuseUnknown("OPTION_INVALID", where, options, [...known.source, ...provider.auth]);
  const gate = find === undefined ? gateOf(where, name, source, defaults, environment) : undefined;
  return {
    name,
    provider,
    events,
    gate,
    ...accountsOf(where, name, source, gate, defaults),
    poll: source.poll,
    accepted: provider.accepted ?? { body: "ok" },
    dedup: dedupOf(where, source),
    bodyBytesMax: wholeNumber(
      `${where}: bodyBytesMax`,
      options["bodyBytesMax"] as number | undefined,
      defaults.bodyBytesMax,
    ),
    handlersMax:
      options["handlersMax"] === undefined
        ? Infinity
        : wholeNumber(`${where}: handlersMax`, options["handlersMax"] as number, 1),
    lane: laneRuleOf(where, options),
    delaysMsOf: scheduleOf(where, options["retry"] ?? {}, events, defaults.delaysMs),
  };
}

function dedupOf(where: string, { provider, options }: Source): "id" | "body" {
  const dedup = oneOf(`${where}: dedup`, options["dedup"] as "id" | undefined, ["id", "body"]);
  if (dedup === "id" || provider.signature?.signsBody !== false) return dedup;
  throw invalid(
    `${where}: ${provider.name} does not sign every byte of its bodies, so one event could come with many of them: ` +
      'dedup must be "id".',
  );
}

/** What the deliveries of a source, or of one account of it, have to pass. */
function gateOf(
  where: string,
  name: string,
  { provider, options }: Source,
  { publicUrl }: SourceDefaults,
  environment: Environment,
): Gate {
  const auth = options["auth"];
  if (auth !== undefined && auth !== "none") throw invalid(`${where}: auth can only be "none".`);
  const credentials = credentialsOf(where, name, provider.auth, options, environment);
  const toleranceMs =
    options["toleranceMs"] === undefined
      ? undefined
      : wholeNumber(`${where}: toleranceMs`, options["toleranceMs"] as number, 1);
  const { verifiers, challenge } = naming(where, () => ({
    verifiers: verifiersOf(provider, credentials, toleranceMs),
    challenge: challengeKeyring(provider, credentials),
  }));
  if (auth === "none" && verifiers.length > 0) {
    throw invalid(`${where}: has auth: "none" and a credential. Leave one of them out.`);
  }
  if (verifiers.length === 0 && auth !== "none" && environment["NODE_ENV"] === "production") {
    throw new WebhookInboxError("CREDENTIAL_MISSING", `${where}: ${missing(name, provider.auth)}`);
  }
  const isSigned = verifiers.some(({ covers }) => covers === "body");
  if (isSigned && provider.signature?.signsUrl === true && publicUrl === "") {
    throw invalid(
      `${where}: ${provider.name} signs the URL it calls, so the inbox has to know it: publicUrl: ` +
        '"https://hooks.example.com" (what stands before the path in the URL that is set there).',
    );
  }
  return {
    credential: verifiers.length > 0 ? "required" : auth === "none" ? "none" : "loopback",
    hasToken: "token" in credentials,
    headVerifiers: verifiers.filter(({ covers }) => covers === "head"),
    bodyVerifiers: verifiers.filter(({ covers }) => covers === "body"),
    secretHeaders: new Set(verifiers.flatMap(({ headers }) => headers)),
    singleHeaders: new Set(verifiers.flatMap(({ headers, reads = [] }) => [...headers, ...reads])),
    challenged: challenge && ((evidence) => challenge.held(evidence)),
    matches: new Map<string, SecretUse>(),
  };
}

/** Accounts are asked for again after a minute; while that fails the last answer holds for a day. */
const accountTerms = { freshMs: 60_000, staleMs: 86_400_000, entriesMax: 10_000 };

function accountsOf(
  where: string,
  name: string,
  { find }: Source,
  own: Gate | undefined,
  defaults: SourceDefaults,
): Pick<ConfiguredSource, "gateOf" | "gates"> {
  if (find === undefined) {
    return { gateOf: () => undefined, gates: () => (own === undefined ? [] : [[undefined, own]]) };
  }
  const gates: Remembered<Gate | undefined> = new Remembered<Gate | undefined>({
    ...accountTerms,
    isNothing: (gate) => gate === undefined,
    async load(id) {
      const source = await find(id);
      if (source === undefined) return undefined;
      const whose = `${where}, account "${id}"`;
      // Never the environment's, and never nobody's: an account has credentials of its own.
      const names = new Set<string>([...source.provider.auth, "toleranceMs"]);
      const given = Object.entries(source.options).filter(([option]) => names.has(option));
      const account = { ...source, options: Object.fromEntries(given) };
      const gate = gateOf(whose, name, account, defaults, { NODE_ENV: "production" });
      // Counted since the start, not since the account was looked up.
      return { ...gate, matches: gates.last(id)?.matches ?? gate.matches };
    },
  });
  return {
    gateOf: (account, { now, report }) => gates.get(account, now, report),
    gates: () => gates.known().flatMap(([account, gate]) => (gate ? [[account, gate]] : [])),
  };
}

/** What a source has from its inbox unless it says otherwise. */
interface SourceDefaults {
  readonly bodyBytesMax: number;
  readonly delaysMs: readonly number[];
  /** Empty where nobody said. */
  readonly publicUrl: string;
}

function scheduleOf(
  where: string,
  retry: SourceRetry,
  events: Readonly<Record<string, unknown>>,
  inboxDelaysMs: readonly number[],
): (type: string) => readonly number[] {
  refuseUnknown("OPTION_INVALID", `${where}: retry`, retry, known.retry);
  const delaysMs = delaysOf(`${where}: retry.delaysMs`, retry.delaysMs) ?? inboxDelaysMs;
  refuseUnknown("OPTION_INVALID", `${where}: retry.types`, retry.types ?? {}, Object.keys(events));
  const byType = new Map(
    Object.entries(retry.types ?? {}).map(([type, one]) => {
      const option = `${where}: retry.types["${type}"]`;
      refuseUnknown("OPTION_INVALID", option, one ?? {}, ["delaysMs"]);
      return [type, delaysOf(`${option}.delaysMs`, one?.delaysMs) ?? delaysMs];
    }),
  );
  return (type) => byType.get(type) ?? delaysMs;
}

/** The credentials of the options; without any, that of the environment. */
function credentialsOf(
  where: string,
  name: string,
  auth: readonly CredentialKind[],
  options: Readonly<Record<string, unknown>>,
  environment: Environment,
): Credentials {
  const given = Object.fromEntries(
    credentialKinds.filter((kind) => kind in options).map((kind) => [kind, options[kind]]),
  );
  if (Object.keys(given).length > 0 || options["auth"] === "none") return given;
  // A token in place of a signature would be the weaker proof.
  const isSigned = signatureKinds.some((one) => one === auth[0]);
  const kind = isSigned ? undefined : auth.find((one) => one === "token" || one === "bearer");
  const variable = [variableOf(name), "WEBHOOK_INBOX_TOKEN"].find(
    (one) => environment[one] !== undefined,
  );
  if (kind === undefined || variable === undefined) return {};
  const secrets = (environment[variable] ?? "").split(",").map((secret) => secret.trim());
  if (secrets.includes(""))
    throw new WebhookInboxError(
      "CREDENTIAL_INVALID",
      `${where}: the environment's ${variable} holds an empty secret. Give it one, without a comma behind it, or unset it.`,
    );
  return { [kind]: secrets };
}

function variableOf(name: string): string {
  return `WEBHOOK_INBOX_TOKEN_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}

function missing(name: string, auth: readonly CredentialKind[]): string {
  const isSigned = signatureKinds.some((one) => one === auth[0]);
  const variables = isSigned
    ? ""
    : `or set ${variableOf(name)} (for all sources: WEBHOOK_INBOX_TOKEN) in the environment, `;
  return (
    `has no credential, so anybody could send to it. Give it a ${auth.join(" or ")}, ${variables}or name only the sources that you use, as in { sources: { socialdata: socialData() } }, or write ` +
    'auth: "none" to take deliveries from anybody.'
  );
}

/** Puts the source's name before what a check of its options throws. */
function naming<T>(where: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isWebhookInboxError(error)) throw error;
    const message = error.message.replace("[webhook-inbox] ", "");
    throw new WebhookInboxError(error.code, `${where}: ${message}`);
  }
}
