import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/gpu/**"],
    reporters: ["default", "./test/summary-reporter.ts"],
    // The engine and the reward pool are processes of their own: two test files at a time fill two cores.
    maxWorkers: 2,
    // A limit is for what hangs. The slowest tests take half a minute of two idle cores, and ten times that where others use them too.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
