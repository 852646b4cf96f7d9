/** Ends a test run with one line, `N passed, N failed`, and fails a run that passed nothing or skipped anything. */

import type { Reporter, TestModule } from "vitest/node";

export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    let skipped = 0;
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failedHere += 1;
        else skipped += 1;
      }
      // A file that cannot be loaded has no failed test of its own.
      failed += module.state() === "failed" ? Math.max(1, failedHere) : failedHere;
    }
    if (passed === 0 || skipped > 0) process.exitCode = 1;
    const note = skipped > 0 ? `, ${skipped} skipped` : "";
    process.once("exit", () => console.log(`${passed} passed, ${failed} failed${note}`));
  }
}
