import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { testRewards } from "../../src/workbench/test.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-reward-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const rows = [
  { prompt: "1+1=", completion: "<think>a</think><answer>2</answer>", answer: "2", numTokens: 12 },
  { prompt: "1+1=", completion: "<answer>3</answer>", answer: 2, numTokens: 6 },
  { prompt: "1+2=", completion: "<think>a</think><answer>3</answer>", answer: "three", numTokens: 12 },
  { prompt: "1+3=", completion: "hm", answer: "4" },
];
const file = write("rows.jsonl", `${rows.map((row) => JSON.stringify(row)).join("\n\n")}\n`);
const accuracy = { name: "accuracy", weight: 1, params: { method: "numeric" } };

describe("testRewards", () => {
  it("counts and averages each reward, and the totals", async () => {
    const report = await testRewards({ specs: [accuracy, { name: "format", weight: 0.5 }], files: [file], threads: 1 });
    expect(report).toMatchObject({
      numCompletions: 4,
      numEstimatedLengths: 1,
      numExcluded: 0,
      meanTotal: (1.5 + 0 + 0.5 + 0) / 4,
    });
    const [first, second] = report.rewards;
    expect(first).toMatchObject({ name: "accuracy", numScored: 3, numAbstained: 1, numFailed: 0, min: 0, max: 1 });
    expect(first!.mean).toBeCloseTo(1 / 3, 12);
    expect(first!.histogram).toEqual([
      { from: 0, to: 0, count: 2 },
      { from: 1, to: 1, count: 1 },
    ]);
    expect(second).toMatchObject({ name: "format", numScored: 4, mean: 0.5 });
    expect(first!.elapsedMs.max).toBeGreaterThan(0);
    expect(first!.elapsedMs.p50).toBeLessThanOrEqual(first!.elapsedMs.max);
  });

  it("scores neighbours with one prompt as a group, and gives length rewards the limit", async () => {
    const specs = [
      { name: "kimi-length", weight: 1, params: { method: "numeric" } },
      { name: "soft-overlong", weight: 1 },
    ];
    const report = await testRewards({ specs, files: [file], limit: 2, maxTokens: 10, threads: 1 });
    // Right with 12 tokens: -0.5; wrong with 6: 0. And 12 tokens of 10 allowed: -1; 6: 0.
    expect(report.rewards.map(({ mean }) => mean)).toEqual([-0.25, -0.5]);
  });

  it("names the file and line of the first failures", async () => {
    const grumpy = write(
      "grumpy.ts",
      "export default { description: 'No.', score: ({ completion }: any) => { if (completion === 'hm') throw new Error('no hm'); return completion.length; } };",
    );
    const report = await testRewards({ specs: [{ file: grumpy, weight: 1 }], files: [file], threads: 1 });
    expect(report.rewards[0]).toMatchObject({ numScored: 3, numFailed: 1 });
    expect(report.rewards[0]!.failures).toEqual([
      { where: `${file}:7`, error: expect.stringMatching(/^Reward "grumpy" threw Error: no hm/) },
    ]);
    expect(report.numExcluded).toBe(1);
  });

  it("puts many values into ten bins that lose none", async () => {
    const many = write(
      "many.jsonl",
      Array.from({ length: 3000 }, (_, index) => JSON.stringify({ completion: "x", numTokens: index })).join("\n"),
    );
    const report = await testRewards({
      specs: [{ name: "soft-overlong", weight: 1, params: { maxTokens: 3000, bufferTokens: 3000 } }],
      files: [many],
    });
    const { histogram, numScored } = report.rewards[0]!;
    expect(numScored).toBe(3000);
    expect(histogram).toHaveLength(10);
    expect(histogram.reduce((sum, { count }) => sum + count, 0)).toBe(3000);
  });

  it("reads a gzipped log, a byte order mark, and a line separator within a completion", async () => {
    const log = join(folder, "log.jsonl.gz");
    writeFileSync(
      log,
      gzipSync(
        '\uFEFF{"completion": "2\u2028", "answer": "2", "tokenIds": "BQAAAA=="}\n{"completion": "3", "answer": "2", "tokenIds": [6]}\n',
      ),
    );
    const report = await testRewards({
      specs: [{ name: "accuracy", weight: 1, params: { method: "numeric", from: "whole" } }],
      files: [log],
      threads: 1,
    });
    expect(report.rewards[0]).toMatchObject({ numScored: 2, mean: 0.5 });
    expect(report.numEstimatedLengths).toBe(0);
  });

  it("counts the tokens that a rollout log has in base64", async () => {
    const tokenIds = Buffer.from(Int32Array.of(5, 6, 7).buffer).toString("base64");
    const report = await testRewards({
      specs: [{ name: "formula", weight: 1, params: { expression: "tokens" } }],
      files: [write("log.jsonl", JSON.stringify({ completion: "12", answer: "12", tokenIds }))],
      threads: 1,
    });
    expect(report.rewards[0]).toMatchObject({ min: 3, max: 3 });
    expect(report.numEstimatedLengths).toBe(0);
  });

  it("gives up on a reward of which the first calls all hang", async () => {
    const running = testRewards({
      specs: [{ file: write("hang.ts", "export default { description: '', score() { for (;;); } };"), weight: 1 }],
      files: [write("many.jsonl", '{"completion": "x"}\n'.repeat(500))],
      deadlineMs: 100,
    });
    await expect(running).rejects.toThrow(/^Reward "hang" was killed: .* So did all of its first 4 calls: it hangs/);
    await expect(running).rejects.toMatchObject({ name: "RecipeError" });
  });

  it("refuses a column of answers that no row has, and a shape without a place for the answer", async () => {
    const files = [write("plain.jsonl", '{"completion": "2", "answer": "2", "solution": "x"}\n')];
    await expect(testRewards({ specs: [accuracy], files, answerColumn: "gold", threads: 1 })).rejects.toThrow(
      /^Expected answers in column "gold", but no row of .*plain\.jsonl has it\.$/,
    );
    await expect(testRewards({ specs: [accuracy], files, gold: "the end", threads: 1 })).rejects.toThrow(
      /^Expected \{answer\} in the shape of a right answer, got "the end"\.$/,
    );
  });

  it("refuses a folder", async () => {
    await expect(testRewards({ specs: [accuracy], files: [folder], threads: 1 })).rejects.toMatchObject({
      name: "RecipeError",
    });
  });

  const bad: readonly [string, string, RegExp][] = [
    ["no JSON", "{", /bad\.jsonl:1: not JSON \(/],
    ["a list", "[]", /bad\.jsonl:1: expected a JSON object/],
    [
      "no completion",
      '{"completion": "x"}\n{"answer": "2"}',
      /bad\.jsonl:2: expected "completion" to be text, got nothing; .*bad\.jsonl:1 has one/,
    ],
    ["an odd length", '{"completion": "x", "numTokens": -1}', /expected "numTokens" to be a whole number, got -1/],
    ["an odd ending", '{"completion": "x", "finishReason": "abort"}', /expected "finishReason" to be stop or length/],
    [
      "neither completion nor answer",
      '{"question": "1+1", "gold": "2"}',
      /Expected rows with a "completion" or an "answer" in .*bad\.jsonl, got rows of other columns: question, gold\./,
    ],
    ["no rows", "\n", /Expected rows with a "completion" or an "answer" in .*bad\.jsonl, got no rows/],
    [
      "a completion among questions",
      '{"answer": "2"}\n{"completion": "x"}',
      /bad\.jsonl:2: expected no "completion", got one; .*bad\.jsonl:1 has none/,
    ],
  ];
  for (const [name, text, expected] of bad) {
    it(`refuses ${name} by file and line`, async () => {
      const running = testRewards({ specs: [accuracy], files: [write("bad.jsonl", text)], threads: 1 });
      await expect(running).rejects.toThrow(expected);
      await expect(running).rejects.toMatchObject({ name: "RecipeError" });
    });
  }

  it("refuses a file that is not there", async () => {
    await expect(testRewards({ specs: [accuracy], files: ["none.jsonl"], threads: 1 })).rejects.toThrow(
      "at none.jsonl, but there is none",
    );
  });
});
