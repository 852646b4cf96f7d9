/** What is told of sources: how each is announced at the start, and which of its secrets are in use. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { SourceSummary } from "../observe/signals.ts";
import type { Settings } from "../options/options.ts";
import type { SecretUsage } from "./inbox.ts";

export function sourceSummary(
  { path, publicUrl }: Pick<Settings, "path" | "publicUrl">,
  { name, provider, gate }: ConfiguredSource,
): SourceSummary {
  const account = gate === undefined ? ["<account>"] : [];
  const token = gate?.hasToken === true ? ["***"] : [];
  const { methods, segments = [] } = provider;
  return {
    name,
    path: [path, name, ...account, ...token].join("/"),
    publicUrl,
    segments,
    methods,
    credential: gate?.credential ?? "required",
    headers: [...(gate?.secretHeaders ?? [])],
  };
}

export const secretUsage = (sources: Iterable<ConfiguredSource>): readonly SecretUsage[] =>
  [...sources].flatMap(({ name: source, gates }) =>
    gates().flatMap(([account, { matches }]) =>
      [...matches].map(([secret, use]) => ({ source, account, secret, ...use })),
    ),
  );
