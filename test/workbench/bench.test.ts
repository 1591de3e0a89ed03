/** What a bench says of rewards whose times and failures are known. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { benchRewards } from "../../src/workbench/bench.ts";
import { callTimesOf } from "../../src/workbench/times.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-bench-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("benchRewards", () => {
  it("times calls by length and by row, counts failures by reason, and finds what hostile texts slow down", async () => {
    const rows = Array.from({ length: 8 }, (_, index) => ({ completion: `${index} ${"x".repeat(10 * index)}` }));
    const files = [write("rows.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"))];
    const body = `
      function wait(ms) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); }
      export default { description: "For a test.", score({ completion }) {
        if (completion.startsWith("{{{")) wait(130);
        if (completion.startsWith("1 ") || completion.startsWith("2 ")) throw new Error("row " + completion[0] + ' of "this"');
        if (completion.startsWith("3 ")) return Number.NaN;
        if (completion.startsWith("7 ")) wait(30);
        return 1;
      } };`;
    const specs = [{ file: write("moody.mjs", body), weight: 1 }];
    const report = await benchRewards({ specs, files, repeats: 2, threads: 1 });
    const [moody] = report.rewards;
    expect(report).toMatchObject({ numCompletions: 8, repeats: 2, threads: 1 });
    expect(report.completionsPerSecond).toBeGreaterThan(1);
    expect(report.completionsPerSecond).toBeLessThan(8 / 0.03);
    expect(moody).toMatchObject({ name: "moody", numCalls: 16 });
    expect(moody!.failures.map(({ count, example }) => [count, example.where])).toEqual([
      [4, `${files[0]}:2`],
      [2, `${files[0]}:4`],
    ]);
    expect(moody!.slowest[0]).toMatchObject({ where: `${files[0]}:8`, numChars: 72 });
    expect(moody!.slowest[0]!.elapsedMs).toBeGreaterThanOrEqual(29);
    expect(new Set(moody!.slowest.map(({ where }) => where)).size).toBe(3);
    expect(moody!.byLength.map(({ maxChars }) => maxChars)).toEqual([12, 32, 52, 72]);
    expect(moody!.byLength[3]!.p95).toBeGreaterThanOrEqual(29);
    expect(moody!.hostile.map(({ text }) => text)).toEqual(["opening braces, 20000 times"]);
  });
});

describe("callTimesOf", () => {
  it("takes the value below which that share of the calls lies", () => {
    expect(callTimesOf(Array.from({ length: 100 }, (_, index) => 100 - index))).toEqual({
      p50: 51,
      p95: 96,
      p99: 100,
      max: 100,
    });
    expect(callTimesOf([])).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 });
  });
});
