import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

const packages = readdirSync("packages").map((name) => ({
  extends: true as const,
  root: `packages/${name}`,
  test: {
    name,
    include: ["test/**/*.test.ts"],
    typecheck: {
      enabled: true,
      tsconfig: "../../tsconfig.check.json",
      include: ["test/**/*.test-d.ts"],
    },
  },
}));

export default defineConfig({
  test: {
    testTimeout: 30_000,
    globalSetup: "./tests/setup/services.ts",
    reporters: ["default", "./tests/setup/reporter.ts"],
    projects: [
      ...packages,
      {
        extends: true,
        root: "tests",
        test: {
          name: "tests",
          include: ["**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
