/**
 * The rewards of the GSM8K and MATH recipes under every mutation, on right answers to questions of both (../shared/data/train, not shipped):
 * what should cost the score costs it, and nothing else pays.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RewardSpec } from "../../src/reward/reward.ts";
import { fuzzRewards } from "../../src/workbench/fuzz.ts";
import { MUTATIONS } from "../../src/workbench/mutations.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-fuzz-math-"));
afterAll(() => rmSync(folder, { recursive: true }));

const data = "../shared/data/train";
const isThere = existsSync(`${data}/gsm8k_train.jsonl`) && existsSync(`${data}/math_train.jsonl`);
if (!isThere) console.warn(`${data} is absent: rewards are not fuzzed with questions of GSM8K and MATH.`);

interface Question {
  readonly prompt: string;
  readonly work: string;
  readonly answer: string;
}

const NUM_QUESTIONS = 25;

function readQuestions(name: string, read: (row: Readonly<Record<string, unknown>>) => Question): Question[] {
  const lines = readFileSync(`${data}/${name}`, "utf8").trim().split("\n");
  const step = Math.floor(lines.length / NUM_QUESTIONS);
  return lines
    .filter((_, index) => index % step === 0)
    .slice(0, NUM_QUESTIONS)
    .map((line) => read(JSON.parse(line)));
}

/** The worked solution of a GSM8K row without its calculator marks, and the number after ####. */
function readGsm8k(row: Readonly<Record<string, unknown>>): Question {
  const [work, answer] = String(row["answer"]).split("\n#### ");
  return {
    prompt: String(row["question"]),
    work: work!.replaceAll(/<<[^>]*>>/g, ""),
    answer: answer!.replaceAll(",", ""),
  };
}

function readMath(row: Readonly<Record<string, unknown>>): Question {
  return { prompt: String(row["problem"]), work: "We follow the definitions.", answer: String(row["answer"]) };
}

const tags = (work: string, answer: string) => `<think>\n${work}\n</think>\n<answer>\n${answer}\n</answer>`;
const inTags: readonly RewardSpec[] = [
  { name: "accuracy", weight: 1, params: { method: "math", from: "answer-tag" } },
  { name: "format", weight: 1 },
];
const inBox: readonly RewardSpec[] = [
  { name: "accuracy", weight: 1, params: { method: "math", from: "boxed", requireStop: true } },
];
const anywhere: readonly RewardSpec[] = [{ name: "accuracy", weight: 1, params: { method: "math" } }];

type Case = readonly [
  name: string,
  file: "gsm8k" | "math",
  specs: readonly RewardSpec[],
  give: (work: string, answer: string) => string,
];
const cases: readonly Case[] = [
  ["GSM8K in tags", "gsm8k", inTags, tags],
  ["GSM8K after A:", "gsm8k", anywhere, (work, answer) => `${work}\nA: ${answer}`],
  ["GSM8K after ####", "gsm8k", anywhere, (work, answer) => `${work}\n#### ${answer}`],
  ["GSM8K in a sentence", "gsm8k", anywhere, (work, answer) => `${work} The answer is ${answer}.`],
  ["MATH in a box", "math", inBox, (work, answer) => `${work} The answer is $\\boxed{${answer}}$.`],
  ["MATH in tags", "math", inTags, tags],
];

describe.skipIf(!isThere)("the rewards of the recipes, mutated (skipped without the data)", () => {
  it.each(cases)("%s", async (name, file, specs, give) => {
    const questions =
      file === "gsm8k" ? readQuestions("gsm8k_train.jsonl", readGsm8k) : readQuestions("math_train.jsonl", readMath);
    // Every right answer has a wrong one beside it, so that there is a score to lose.
    const rows = questions.flatMap(({ prompt, work, answer }, group) =>
      [answer, "987654321"].map((given) => ({ prompt, answer, group, completion: give(work, given) })),
    );
    const path = join(folder, `${name.replaceAll(/\W/g, "-")}.jsonl`);
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
    const report = await fuzzRewards({ specs, files: [path], threads: 1 });
    expect(report.numGood).toBe(NUM_QUESTIONS);
    expect(report.mutations.filter(({ numUnexpected }) => numUnexpected > 0)).toEqual([]);
    const numFallen = report.mutations.filter(({ expectation, numTried }) => expectation === "falls" && numTried > 0);
    expect(numFallen).toHaveLength(MUTATIONS.filter(({ expectation }) => expectation === "falls").length);
  });
});
