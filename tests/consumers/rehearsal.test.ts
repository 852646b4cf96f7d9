/** A release, rehearsed: versions, packages, a registry, and a new project that installs from it and runs. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { blocksOf } from "./blocks.ts";
import { project, type Project } from "./project.ts";
import { run, start, type Running } from "./shell.ts";

const repository = "https://git.example/acme/webhook-inbox";
const [install = "", runFirst = "", send = ""] = blocksOf("README.md", "sh");
const [first = ""] = blocksOf("README.md", "ts");

const nameOf = (folder: string): string =>
  folder === "cli" ? "webhook-inbox" : `@webhook-inbox/${folder}`;

/** What git has, and would have, in a directory of its own. */
function copied(): string {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-release-"));
  const paths = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const path of paths.split("\0").filter((one) => one !== "")) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    cpSync(join(root, path), join(directory, path), { force: true });
  }
  return directory;
}

describe("a release", () => {
  let registry: Running;
  let url = "";
  let release: string;
  let publish = "";
  let own: Project;

  beforeAll(async () => {
    const program = `node ${join(import.meta.dirname, "registry.ts")}`;
    registry = await start(root, program, /http:.*\n/, {});
    url = (await registry.says(/http:.*\n/)).trim();
    release = copied();
    run(
      release,
      "git init -q .\ngit add -A\ngit -c user.name=r -c user.email=r@example.com commit -qm rehearsal",
    );
    run(release, "pnpm install --frozen-lockfile --prefer-offline\npnpm release made");
    const { host } = new URL(url);
    const local = `--registry ${url} --//${host}/:_authToken=rehearsal --provenance=false`;
    publish = `bash .ci/publish ${repository} ${local}`;
    run(release, publish);
    own = project(new Map());
    own.write(".npmrc", `registry=${url}\n`);
  }, 300_000);
  afterAll(async () => {
    await registry?.stop();
    own?.remove();
    if (release !== undefined) rmSync(release, { recursive: true });
  });

  test("makes a tarball of every package by the command that makes the versions", () => {
    const names = readdirSync(join(root, "packages")).map((name) =>
      nameOf(name).replace("@", "").replace("/", "-"),
    );
    const made = names.map((name) => `${name}-0.1.0.tgz`).toSorted();
    expect(readdirSync(join(release, "made")).toSorted()).toEqual(made);
  });

  test("goes on where it broke off, and is no other than its tag says", () => {
    const again = run(release, publish);
    expect(again.match(/@0\.1\.0 is published already\./g)).toHaveLength(
      readdirSync(join(root, "packages")).length,
    );
    const wrongTag = `GITHUB_REF_TYPE=tag GITHUB_REF_NAME=v0.2.0 ${publish}`;
    expect(() => run(release, wrongTag)).toThrow("The tag is v0.2.0 and the packages are 0.1.0");
  });

  test("publishes every package, in one version, with what changed and where it is from", async () => {
    for (const name of readdirSync(join(root, "packages"))) {
      const log = readFileSync(join(release, "packages", name, "CHANGELOG.md"), "utf8");
      expect(log).toContain("## 0.1.0");
      if (name === "core")
        expect(log).toContain("The first release. An inbox in front of your webhooks");
      const response = await fetch(`${url}${encodeURIComponent(nameOf(name))}`);
      expect(await response.json()).toMatchObject({
        "dist-tags": { latest: "0.1.0" },
        versions: {
          "0.1.0": { repository: { type: "git", url: `git+${repository}.git` } },
        },
      });
    }
  });

  test("is installed by the README's words in a new project, and handles its first webhook", async () => {
    const port = String(20_000 + ((process.pid + 13) % 20_000));
    const here = (text: string): string => text.replaceAll("3000", port);
    own.shell(install);
    own.write("main.ts", here(first));
    const running = await own.start(runFirst, /captain-data: POST/, {});
    onTestFinished(() => running.stop());
    expect(own.shell(here(send.replace("curl", "curl -sS")))).toBe("ok");
    await running.says(/handled job 42: success/);
  });

  test("brings the command, which shows what was kept", () => {
    own.shell("npm install -D webhook-inbox");
    const events = own.shell("npx webhook-inbox list --store sqlite:./webhooks.sqlite --json");
    expect(JSON.parse(events)).toMatchObject({ source: "socialdata", type: "job_finished" });
    expect(own.shell("npx webhook-inbox --version")).toBe("0.1.0\n");
  });

  test("installs with every peer that a package names, without a conflict", () => {
    const all = readdirSync(join(root, "packages")).map(nameOf).join(" ");
    const manifests = readdirSync(join(root, "packages")).map((name) => {
      const text = readFileSync(join(root, "packages", name, "package.json"), "utf8");
      return JSON.parse(text) as { readonly peerDependencies?: Readonly<Record<string, string>> };
    });
    const peers = manifests
      .flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies))
      .filter((name) => !name.includes("webhook-inbox"))
      .join(" ");
    expect(peers).toContain("express");
    own.shell(`npm install --strict-peer-deps --no-save ${all} ${peers}`);
  });
});
