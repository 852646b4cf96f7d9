import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { defineConfig } from "vitest/config";

const packages = readdirSync("packages").map((name) => ({
  extends: true as const,
  root: `packages/${name}`,
  test: {
    name,
    ...(["cli", "mysql"].includes(name) ? { globalSetup: "../../tests/setup/mysql.ts" } : {}),
    include: ["test/**/*.test.ts"],
    typecheck: {
      enabled: true,
      tsconfig: "../../tsconfig.check.json",
      include: ["test/**/*.test-d.ts"],
    },
  },
}));

/** The NestJS package once more, on the major version before: its tests import what that workspace has installed. */
const nestjs11 = {
  extends: true as const,
  root: "packages/nestjs",
  resolve: {
    alias: Object.fromEntries(
      ["common", "core", "platform-express", "platform-fastify", "testing", "terminus"].map(
        (name) => [
          `@nestjs/${name}`,
          createRequire(`${import.meta.dirname}/tests/nestjs-11/package.json`).resolve(
            `@nestjs/${name}`,
          ),
        ],
      ),
    ),
  },
  test: { name: "nestjs-11", include: ["test/**/*.test.ts"] },
};

export default defineConfig({
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } }, // for tests of the NestJS package
  test: {
    testTimeout: 30_000,
    globalSetup: "./tests/setup/services.ts",
    reporters: ["default", "./tests/setup/reporter.ts"],
    projects: [
      ...packages,
      nestjs11,
      {
        extends: true,
        root: "tests",
        test: {
          name: "tests",
          globalSetup: "./setup/mysql.ts",
          include: ["**/*.test.ts"],
          exclude: ["torture/**", "**/node_modules/**"],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        root: "tests",
        test: {
          name: "torture",
          include: ["torture/*.test.ts"],
          testTimeout: 600_000,
          // It takes all of the machine: not beside anything else.
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
        },
      },
    ],
  },
});
