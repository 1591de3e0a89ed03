import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/gpu/**"],
    reporters: ["default", "./test/summary-reporter.ts"],
    // The engine and the reward pool are processes of their own: two test files at a time fill two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
