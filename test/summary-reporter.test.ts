/** The reporter in a run of its own over files that end in every way. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "grouper-reporter-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files = {
  "aborts.test.ts":
    'it("fine", () => {}); it("dies", () => new Promise(() => setTimeout(() => process.abort(), 500))); it("never runs", () => {});',
  "killed.test.ts": 'process.kill(process.pid, "SIGKILL"); it("never runs", () => {});',
  "fails.test.ts": 'it("wrong", () => expect(1).toBe(2)); it.skip("not now", () => {});',
  "top.test.ts": 'throw new Error("at the top");',
  "hook.test.ts":
    'describe("a hook", () => { it("right", () => {}); afterAll(() => { throw new Error("in a hook"); }); });',
  "stray.test.ts":
    'it("stray", () => { setTimeout(() => { throw new Error("too late"); }, 1); return new Promise((done) => setTimeout(done, 200)); });',
  "slow.test.ts": 'it("slow", () => new Promise((done) => setTimeout(done, 3100)), 6000);',
};

it("the last lines name every file that did not end as it should, and why", () => {
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source);
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      resolve("node_modules/vitest/vitest.mjs"),
      ...["run", "--root", folder, "--globals", "--maxWorkers", "2", "--reporter", resolve("test/summary-reporter.ts")],
    ],
    { cwd: folder, encoding: "utf8", timeout: 50_000 },
  );
  expect(status).toBe(1);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.at(-1)).toBe("4 passed, 5 failed, 1 skipped");
  expect(lines).toEqual(
    expect.arrayContaining([
      'never finished: aborts.test.ts, whose process ended in or after "dies"',
      "never finished: killed.test.ts, whose process ended before its first test or after its last",
      "failed: fails.test.ts > wrong",
      "failed outside of tests: top.test.ts: at the top",
      "failed outside of tests: hook.test.ts: in a hook",
      "error outside of tests in stray.test.ts: too late",
      expect.stringMatching(/^close to its time limit: slow\.test\.ts > slow, \d\d %$/),
    ]),
  );
});
