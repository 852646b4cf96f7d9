/** How a source is announced at the start. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { SourceSummary } from "../observe/signals.ts";
import type { Settings } from "../options/options.ts";

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
