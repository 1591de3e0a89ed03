/** Golds and junk: what holds for good rewards, and which kind of junk each bad one pays. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RewardSpec } from "../../src/reward/reward.ts";
import { wrongAnswers } from "../../src/workbench/answers.ts";
import type { GoldReport } from "../../src/workbench/golds.ts";
import { testRewards } from "../../src/workbench/test.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-golds-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, "rows.jsonl");
const rows = ["7", "12", "-3", "45"].map((answer, index) => ({
  prompt: `Question ${index} of all.`,
  completion: "hm",
  answer,
}));
writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));

/** `body` is the function of a reward, in JavaScript. */
function reward(name: string, body: string): RewardSpec {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `export default { description: "For a test.", score: ${body} };`);
  return { file: path, weight: 1 };
}

async function goldsOf(specs: readonly RewardSpec[], gold?: string, files = [file]): Promise<GoldReport> {
  const { golds } = await testRewards({ specs, files, gold, threads: 1 });
  return golds!;
}

const paid = ({ junk }: GoldReport) => junk.filter(({ numAsGood }) => numAsGood > 0).map(({ name }) => name);

describe("golds and junk", () => {
  it("hold for accuracy beside format, in the shape that the format asks for", async () => {
    const golds = await goldsOf([
      { name: "accuracy", weight: 1, params: { method: "numeric" } },
      { name: "format", weight: 0.5, params: { style: "open-r1-strict" } },
    ]);
    expect(golds).toMatchObject({ shape: "tags", numGolds: 4, top: 1.5, numLow: 0, numWithoutTotal: 0, holds: true });
    expect(paid(golds)).toEqual([]);
    expect(golds.junk.length).toBeGreaterThan(8);
  });

  it("show that a format alone pays a wrong answer", async () => {
    const golds = await goldsOf([{ name: "format", weight: 1 }]);
    expect(golds.holds).toBe(false);
    expect(paid(golds)).toContain("a wrong answer in the same shape");
    expect(paid(golds)).not.toContain("nothing");
    const [wrong] = golds.junk;
    expect(wrong).toMatchObject({ numAsGood: 4, mean: 1, example: { where: `${file}:1`, total: 1 } });
  });

  it("show that a search for the answer pays a list of answers", async () => {
    const any = reward("any", "({ completion, answer }) => Number(completion.includes(answer))");
    expect(paid(await goldsOf([any]))).toEqual(["several answers, the right one among them"]);
  });

  it("show that a judge which accepts a colon pays it", async () => {
    const lenient = reward(
      "lenient",
      "({ completion, answer }) => Number(completion === ':' || completion.includes(answer))",
    );
    expect(paid(await goldsOf([lenient]))).toContain("a colon");
  });

  it("name the golds that score less than another, and those without a score", async () => {
    const picky = reward(
      "picky",
      "({ completion, answer }) => answer === '12' ? null : !completion.includes(answer) ? 0 : answer === '-3' ? 0.5 : 1",
    );
    const golds = await goldsOf([picky]);
    expect(golds).toMatchObject({ numGolds: 4, numLow: 1, numWithoutTotal: 1, top: 1, holds: false });
    expect(golds.examples).toEqual([
      { where: `${file}:3`, answer: "-3", total: 0.5 },
      { where: `${file}:2`, answer: "12", total: null },
    ]);
  });

  it("are given in the shape that was asked for, without what the prompt has of it", async () => {
    const prefilled = join(folder, "prefilled.jsonl");
    writeFileSync(
      prefilled,
      JSON.stringify({ prompt: "1+1=<think>", prefill: "<think>", completion: "", answer: "2" }),
    );
    const exact = reward(
      "exact-text",
      "({ completion, response }) => Number(completion === 'x</think>!2!' && response === '<think>x</think>!2!')",
    );
    const golds = await goldsOf([exact], "<think>x</think>!{answer}!", [prefilled]);
    expect(golds).toMatchObject({ shape: "given", top: 1, numLow: 0, holds: true });
  });

  it("need no completions: a dataset's own rows will do, and the answer of a worked solution is the line after ####", async () => {
    const questions = join(folder, "questions.jsonl");
    const solved = ["Half of 8 is 4.\n#### 4", "#### 1,200"].map((answer) => ({ question: "How many?", answer }));
    writeFileSync(questions, solved.map((row) => JSON.stringify(row)).join("\n"));
    const report = await testRewards({
      specs: [{ name: "accuracy", weight: 1, params: { method: "math" } }],
      files: [questions],
      threads: 1,
    });
    expect(report).toMatchObject({ numCompletions: 0, numExcluded: 0, meanTotal: null });
    expect(report.golds).toMatchObject({ numGolds: 2, top: 1, numLow: 0, holds: true });
    const bare = reward("bare", "({ completion, answer }) => Number(answer.endsWith('#### ' + completion))");
    expect(await goldsOf([bare], "{answer}", [questions])).toMatchObject({ numLow: 0, holds: true });
    const echo = reward("echo", "({ completion, prompt }) => Number(completion === prompt)");
    expect(paid(await goldsOf([echo], undefined, [questions]))).toContain("the prompt, copied");
  });

  it("take their answers from another column where one is named", async () => {
    const puzzles = join(folder, "puzzles.jsonl");
    const puzzle = {
      quiz: "Who?",
      names: ["Zoey", "Oliver"],
      solution: [true, false],
      text: "(1) Zoey is a knight\n(2) Oliver is a knave",
    };
    writeFileSync(puzzles, JSON.stringify(puzzle));
    const specs = [{ name: "logic-rl", weight: 1 }];
    const { golds } = await testRewards({ specs, files: [puzzles], answerColumn: "text", threads: 1 });
    expect(golds).toMatchObject({ numGolds: 1, top: 3, holds: true });
  });

  it("do not reward a length: golds and junk are equally long", async () => {
    const length = reward("length", "({ numTokens }) => numTokens");
    expect(paid(await goldsOf([length]))).toHaveLength(11);
  });
});

describe("wrongAnswers", () => {
  it.each(["7", "-3", "0", "C", "(b)", "3/4", "", "x + 1", "9".repeat(300)])("gives ten others for %j", (answer) => {
    const wrong = wrongAnswers(answer, ["3/4", "red", "blue"], 10);
    expect(new Set(wrong).size).toBe(10);
    expect(wrong.map((one) => one.toLowerCase())).not.toContain(answer.replaceAll(/[()]/g, "").toLowerCase());
  });

  it("takes no other row's answer that means the same", () => {
    expect(wrongAnswers("$\\$6$", ["6", "6.0", "1/2", "7"], 2)).toEqual(["1/2", "7"]);
    expect(wrongAnswers("0.5", ["\\frac{1}{2}", "50\\%", "0.25"], 1)).toEqual(["0.25"]);
  });

  it("turns one of two words into the other", () => {
    expect(wrongAnswers("Zoey is a knight, Tom is a Knave", ["red"], 3)).toEqual([
      "Zoey is a knave, Tom is a Knave",
      "Zoey is a knight, Tom is a Knight",
      "red",
    ]);
    expect(wrongAnswers("Yes", ["yes!"], 1)).toEqual(["No"]);
  });

  it("stays in kind: whole numbers near it, other letters, other rows' answers", () => {
    expect(wrongAnswers("7", [], 4)).toEqual(["8", "5", "10", "3"]);
    expect(wrongAnswers("C", [], 3)).toEqual(["A", "B", "D"]);
    expect(wrongAnswers("red", ["red", "blue", "green"], 2)).toEqual(["blue", "green"]);
  });
});
