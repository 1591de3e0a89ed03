/**
 * The last lines of a run, which any CI can read and keep: the files that never finished, with the test in which their process ended; errors
 * outside of tests; what failed; what came close to its time limit; and then "12 passed, 0 failed, 1 skipped".
 */
import { relative } from "node:path";
import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/** Share of its time limit beyond which a test that passed is named: on a busier machine it will not. */
const CLOSE_TO_LIMIT = 0.5;

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      if (isUnfinished(module)) {
        counts.failed++;
        const running = tests.find((test) => test.result().state === "pending");
        // Reports of tests come in batches: it may have been a later one.
        const where =
          running === undefined ? "before its first test or after its last" : `in or after "${running.fullName}"`;
        console.log(`never finished: ${fileOf(module)}, whose process ended ${where}`);
      }
      for (const { message } of [module, ...module.children.allSuites()].flatMap((suite) => suite.errors())) {
        counts.failed++;
        console.log(`failed outside of tests: ${fileOf(module)}: ${message}`);
      }
      for (const test of tests) {
        const { state } = test.result();
        if (state !== "pending") counts[state]++;
        if (state === "failed") console.log(`failed: ${fileOf(module)} > ${test.fullName}`);
        if (state === "passed" && shareOfLimit(test) > CLOSE_TO_LIMIT) {
          console.log(
            `close to its time limit: ${fileOf(module)} > ${test.fullName}, ${Math.round(100 * shareOfLimit(test))} %`,
          );
        }
      }
    }
    for (const error of errors) {
      const file: unknown = error["VITEST_TEST_PATH"];
      console.log(
        `error outside of tests${typeof file === "string" ? ` in ${relative("", file)}` : ""}: ${error.message}`,
      );
    }
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}

/** Vitest reports the end of a test process as an error without a file; the file stays as it was. */
function isUnfinished(module: TestModule): boolean {
  const state = module.state();
  return state === "pending" || state === "queued";
}

function fileOf(module: TestModule): string {
  return relative("", module.moduleId);
}

function shareOfLimit(test: TestCase): number {
  const limitMs = test.options.timeout ?? test.project.config.testTimeout;
  return (test.diagnostic()?.duration ?? 0) / limitMs;
}
