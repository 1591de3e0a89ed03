/** Mutations by hand, and what they find in rewards with a known hole. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RewardSpec } from "../../src/reward/reward.ts";
import { answerSites, replaceSites } from "../../src/workbench/answers.ts";
import { type FuzzReport, fuzzRewards } from "../../src/workbench/fuzz.ts";
import { MUTATIONS } from "../../src/workbench/mutations.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const rows = [4, 9, 16].flatMap((answer) =>
  [answer, answer + 2].map((given) => ({
    prompt: `What is the square of the root of it?`,
    answer: String(answer),
    group: answer,
    completion: `<think>We take the root and square it, which changes nothing at all.</think> <answer>${given}</answer>`,
  })),
);
const file = write("rows.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));

function reward(name: string, body: string, kind = "score"): RewardSpec {
  return { file: write(`${name}.mjs`, `export default { description: "For a test.", ${kind}: ${body} };`), weight: 1 };
}

const fuzz = (specs: readonly RewardSpec[]): Promise<FuzzReport> => fuzzRewards({ specs, files: [file], threads: 1 });
const unexpected = ({ mutations }: FuzzReport) =>
  Object.fromEntries(
    mutations.filter(({ numUnexpected }) => numUnexpected > 0).map((one) => [one.name, one.numUnexpected]),
  );

/** What a mutation makes of one completion. */
function mutant(name: string, completion: string): string | null {
  const mutation = MUTATIONS.find((one) => one.name === name)!;
  const wrong = Array.from({ length: 10 }, (_, index) => `w${index}`);
  return mutation.apply({ completion, prompt: "p", gold: "g", wrong })?.text ?? null;
}

describe("mutations, by hand", () => {
  const tagged = "<think>so it is</think><answer>g</answer>";
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["answer stripped", tagged, "<think>so it is</think>"],
    ["answer stripped", "\\boxed{\\frac{1}{2}} or \\boxed{g}.", " or ."],
    ["answer stripped", "no answer", null],
    ["answer replaced by a wrong one", tagged, "<think>so it is</think><answer>w0</answer>"],
    ["answer replaced by a wrong one", "<answer>It is \\boxed{g}.</answer>", "<answer>It is \\boxed{w0}.</answer>"],
    ["answer replaced by a wrong one", "so 3\n#### 3\n", "so 3\n#### w0\n"],
    ["answer replaced by a wrong one", "it is 12.", "it is w0."],
    ["a wrong answer after the right one", "\\boxed{g}.", "\\boxed{g} \\boxed{w0}."],
    ["a wrong answer before the right one", "\\boxed{g}.", "\\boxed{w0} \\boxed{g}."],
    ["two answers at its place", tagged, "<think>so it is</think><answer>g w0</answer>"],
    ["three answers at its place", tagged, "<think>so it is</think><answer>w0 or g or w1</answer>"],
    ["the prompt, copied", tagged, "p"],
    ["cut before the answer", tagged, "<think>so it is</think>"],
    [
      "everything before the answer said five times",
      tagged,
      `<think>${"so it is".repeat(5)}</think><answer>g</answer>`,
    ],
    ["thinking left empty", tagged, "<think></think><answer>g</answer>"],
    ["thinking left empty", "\\boxed{g}", null],
    ["the answer alone", tagged, "<answer>g</answer>"],
    ["a line break at the end", tagged, `${tagged}\n`],
  ];
  it.each(cases)("%s: %j becomes %j", (name, completion, expected) => {
    expect(mutant(name, completion)).toBe(expected);
  });

  it("put the right one of eleven answers in the middle", () => {
    const boxes = [...mutant("eleven answers, the right one in the middle", "\\boxed{g}")!.matchAll(/\{(\w+)\}/g)];
    expect(boxes.map((match) => match[1])).toEqual(["w0", "w1", "w2", "w3", "w4", "g", "w5", "w6", "w7", "w8", "w9"]);
  });

  it("keep tags, commands and answers when the language changes", () => {
    const text = mutant(
      "prose in another language",
      "<think>so it really is \\frac{1}{2}</think><answer>yes</answer>",
    )!;
    expect(text).toMatch(
      /^<think>\p{Script=Han}+ \p{Script=Han}+ \p{Script=Han}+ \p{Script=Han}+ \\frac\{1\}\{2\}<\/think><answer>yes<\/answer>$/u,
    );
  });
});

describe("answerSites", () => {
  it("finds nothing in a box that never closes", () => {
    expect(answerSites("\\boxed{1{2}")).toHaveLength(1);
    expect(replaceSites("\\boxed{1{2}", answerSites("\\boxed{1{2}"), () => "x")).toBe("\\boxed{1{x}");
    expect(answerSites("\\boxed{".repeat(50_000))).toEqual([]);
  });
});

describe("fuzzRewards", () => {
  it("finds nothing wrong with accuracy in tags beside format", async () => {
    const report = await fuzz([
      { name: "accuracy", weight: 1, params: { method: "numeric", from: "answer-tag" } },
      { name: "format", weight: 0.5 },
    ]);
    expect(unexpected(report)).toEqual({});
    expect(report).toMatchObject({ numCompletions: 6, numGood: 3, goodFrom: 1, holds: true });
    const [stripped] = report.mutations;
    expect(stripped).toMatchObject({ numTried: 3, before: 1.5, after: 0, changes: { accuracy: -1, format: -1 } });
    expect(report.mutations.map(({ numTried }) => numTried)).toEqual(MUTATIONS.map(() => 3));
  });

  it("shows what a reward that searches for the answer pays", async () => {
    const any = reward(
      "any",
      "({ completion, answer }) => Number(new RegExp('\\\\b' + answer + '\\\\b').test(completion))",
    );
    const found = await fuzz([any]);
    expect(unexpected(found)).toEqual({
      "a wrong answer after the right one": 3,
      "two answers at its place": 3,
      "three answers at its place": 3,
      "eleven answers, the right one in the middle": 3,
    });
    const [example] = found.mutations.find(({ name }) => name.startsWith("three"))!.examples;
    expect(example).toMatchObject({ where: `${file}:1`, before: 1, after: 1 });
    expect(example!.mutant).toContain("5 or 4 or 2");
  });

  it("shows that a reward of length pays padding and repetition", async () => {
    const accuracy = { name: "accuracy", weight: 1, params: { method: "numeric" } };
    const report = await fuzz([accuracy, { ...reward("long", "({ numTokens }) => numTokens / 1e6") }]);
    const names = Object.keys(unexpected(report));
    expect(names).toEqual(
      expect.arrayContaining(["padded before the answer", "everything before the answer said five times"]),
    );
    expect(names).not.toContain("the answer alone");
  });

  it("puts a mutant in the place of its original, for rewards that compare siblings", async () => {
    // Paid for being longer than the mean of the group: mutating all siblings together would not show it.
    const body =
      "(inputs) => { const mean = inputs.reduce((s, i) => s + i.completion.length, 0) / inputs.length; return inputs.map((i) => (i.completion.length > mean + 50 ? 1 : 0) + Number(i.completion.includes('>' + i.answer + '<'))); }";
    const report = await fuzz([reward("longest", body, "scoreGroup")]);
    expect(unexpected(report)).toMatchObject({ "padded before the answer": 3 });
  });

  it("writes a right and a wrong completion where rows have none", async () => {
    const questions = write(
      "questions.jsonl",
      [4, 9].map((answer) => JSON.stringify({ question: "How many?", answer: `It is.\n#### ${answer}` })).join("\n"),
    );
    const specs = [{ name: "accuracy", weight: 1, params: { method: "numeric", from: "boxed" } }];
    const report = await fuzzRewards({ specs, files: [questions], threads: 1 });
    expect(report).toMatchObject({ numCompletions: 4, numGood: 2, shape: "tags around a box", holds: true });
    expect(report.mutations.find(({ name }) => name === "the prompt, copied")).toMatchObject({ numTried: 2, after: 0 });
    const given = await fuzzRewards({ specs, files: [questions], gold: "It is \\boxed{{answer}}", threads: 1 });
    expect(given).toMatchObject({ numGood: 2, shape: "given" });
  });

  it("refuses completions that all earn the same", async () => {
    await expect(fuzz([{ name: "format", weight: 1 }])).rejects.toThrow(/earn different totals, got 6 that earn 1/);
  });
});
