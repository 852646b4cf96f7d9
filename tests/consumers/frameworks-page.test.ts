/** The page on frameworks: its blocks compile strictly against the packed packages, with what they leave out declared. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { packed, project, type Project } from "./project.ts";

const page = readFileSync(join(root, "docs/frameworks.md"), "utf8");
const blocks = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");

/** What blocks take for granted. */
const declared: Readonly<Record<string, string>> = {
  inbox: 'declare const inbox: import("@webhook-inbox/core").Inbox;',
  store: 'declare const store: import("@webhook-inbox/core").Store;',
  sources: 'declare const sources: import("@webhook-inbox/core").Sources;',
  serve: 'declare const serve: import("@webhook-inbox/testing/http").Serve;',
  createInbox: 'import { createInbox } from "@webhook-inbox/core";',
  WebhooksModule: 'import { WebhooksModule } from "@webhook-inbox/nestjs";',
  sqlite: 'import { sqlite } from "@webhook-inbox/core/sqlite";',
  audata: 'import { audata } from "@webhook-inbox/core/providers/audata";',
  ConfigModule: "declare class ConfigModule {}",
  ConfigService: "declare class ConfigService { get(name: string): string }",
};

const stubs = `declare module "next/server" {
  export function after(working: Promise<unknown>): void;
}
`;

describe("the page on frameworks", () => {
  let shop: string;
  let own: Project;

  beforeAll(() => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    const names = ["core", "express", "koa", "fastify", "nestjs", "testing"];
    own = project(packed(names, shop));
    const ours = names.map((name) => `@webhook-inbox/${name}`).join(" ");
    const theirs =
      "express @types/express koa @types/koa fastify hono @hono/node-server @nestjs/common @nestjs/core @nestjs/terminus reflect-metadata rxjs";
    own.shell(`npm init -y\nnpm pkg set type=module\nnpm install ${ours} ${theirs} @types/node@24`);
    own.write("stubs.d.ts", stubs);
    own.write("inbox.ts", 'export declare const inbox: () => import("@webhook-inbox/core").Inbox;');
  });
  afterAll(() => {
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test.each(blocks.map((block, index) => [index + 1, block] as const))(
    "block %i compiles",
    (index, block) => {
      const missing = Object.entries(declared)
        .filter(([name]) => new RegExp(`\\b${name}\\b`).test(block))
        .filter(
          ([name]) =>
            !new RegExp(`(?:const|class) ${name}\\b|import \\{[^}]*\\b${name}\\b`).test(block),
        )
        .map(([, declaration]) => declaration);
      const text = block.replace('"../../../inbox"', '"./inbox.js"');
      own.write(`block-${index}.ts`, `${missing.join("\n")}\n${text}\nexport {};\n`);
      const tsc = join(root, "node_modules/.bin/tsc");
      own.shell(
        `${tsc} --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --experimentalDecorators --emitDecoratorMetadata --module nodenext --target es2024 --types node stubs.d.ts block-${index}.ts`,
      );
    },
  );
});
