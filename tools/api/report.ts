/**
 * What each package exports, with its types, as a file beside it: a change of the public interface is a change that a review
 * sees. `pnpm api` writes the files, `pnpm api --check` fails where they are not what the code says. Reads what `tsc -b` has made.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type IConfigFile,
} from "@microsoft/api-extractor";

interface Manifest {
  readonly name: string;
  readonly publishConfig?: {
    readonly exports?: Readonly<Record<string, string | { readonly types: string }>>;
  };
}

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const root = join(import.meta.dirname, "../..");
const folders = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
const manifests = new Map(folders.map((folder) => [folder, manifestOf(folder)]));

/** Types of packages as they are published, by what they are imported as. */
const paths = Object.fromEntries(
  [...manifests].flatMap(([folder, manifest]) =>
    entriesOf(manifest).map(({ entry, types }) => [entry, [join(folder, types)]] as const),
  ),
);

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** What a package can be imported as, with the file of its types. */
function entriesOf({ name, publishConfig }: Manifest): readonly { entry: string; types: string }[] {
  return Object.entries(publishConfig?.exports ?? {}).flatMap(([path, target]) =>
    typeof target === "string" ? [] : [{ entry: join(name, path), types: target.types }],
  );
}

function configOf(folder: string, types: string, into: string): ExtractorConfig {
  const quiet = { default: { logLevel: ExtractorLogLevel.None } } as const;
  const configObject: IConfigFile = {
    projectFolder: folder,
    mainEntryPointFilePath: join(folder, types),
    compiler: {
      overrideTsconfig: {
        compilerOptions: {
          target: "es2024",
          lib: ["es2024"],
          types: ["node"],
          module: "nodenext",
          moduleResolution: "nodenext",
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: true,
          paths,
        },
        files: [join(folder, types)],
      },
    },
    apiReport: {
      enabled: true,
      reportFileName: "report.api.md",
      reportFolder: into,
      reportTempFolder: into,
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    newlineKind: "lf",
    messages: {
      compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
      extractorMessageReporting: quiet,
      tsdocMessageReporting: quiet,
    },
  };
  return ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, "package.json"),
  });
}

/** Remarks of the tool on what has no docstring, or no stage of release. */
const remarks = /^ *\/\/ (?:@public|\(undocumented\)|\(No @packageDocumentation.*)\n/gm;

/** The whole report of a package. */
function reportOf(folder: string, manifest: Manifest): string | undefined {
  const entries = entriesOf(manifest);
  const into = mkdtempSync(join(tmpdir(), "webhook-inbox-api-"));
  try {
    const configs = entries.map(({ types }) => configOf(folder, types, into));
    const [first] = configs;
    if (first === undefined) return undefined;
    const additionalEntryPoints = configs.map(({ mainEntryPointFilePath: path }) => path);
    const compilerState = CompilerState.create(first, { additionalEntryPoints });
    const parts = configs.map((config, index) => {
      const { succeeded, errorCount } = Extractor.invoke(config, {
        localBuild: true,
        compilerState,
        messageCallback: (message) =>
          void (message.handled = message.logLevel !== ExtractorLogLevel.Error),
      });
      if (!succeeded && errorCount > 0) throw new Error(`${entries[index]?.entry} has no report`);
      const text = readFileSync(join(into, "report.api.md"), "utf8");
      rmSync(join(into, "report.api.md"));
      const code = (/```ts\n([^]*)```/.exec(text)?.[1] ?? "").replaceAll(remarks, "");
      return `## ${entries[index]?.entry}\n\n\`\`\`ts\n${code.trim()}\n\`\`\`\n`;
    });
    return `# What ${manifest.name} exports\n\nMade by \`pnpm api\`.\n\n${parts.join("\n")}`;
  } finally {
    rmSync(into, { recursive: true });
  }
}

let stale = 0;
for (const [folder, manifest] of manifests) {
  const path = join(folder, "API.md");
  // Of a package that exports nothing any more there is nothing to be said.
  const report = reportOf(folder, manifest) ?? "";
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (before === report) continue;
  stale += 1;
  if (!values.check) writeFileSync(path, report);
  process.stdout.write(
    `packages/${basename(folder)}/API.md ${values.check ? "is not what the code says" : "written"}\n`,
  );
}
if (values.check && stale > 0) {
  process.stderr.write("Run `pnpm api`, and look at what has changed.\n");
  process.exitCode = 1;
}
