/** No text, however long or strange, makes a shipped reward throw, leave its bounds or take more than linear time. */
import { describe, expect, it } from "vitest";
import accuracy from "../../rewards/accuracy.ts";
import codeFormat from "../../rewards/code-format.ts";
import cosineLength from "../../rewards/cosine-length.ts";
import countdown from "../../rewards/countdown.ts";
import format from "../../rewards/format.ts";
import kimiLength from "../../rewards/kimi-length.ts";
import language from "../../rewards/language.ts";
import logicRl from "../../rewards/logic-rl.ts";
import multipleChoice from "../../rewards/multiple-choice.ts";
import poetry from "../../rewards/poetry.ts";
import reasoningSteps from "../../rewards/reasoning-steps.ts";
import repetition from "../../rewards/repetition.ts";
import softOverlong from "../../rewards/soft-overlong.ts";
import sweRl from "../../rewards/swe-rl.ts";
import tagCount from "../../rewards/tag-count.ts";
import translation from "../../rewards/translation.ts";
import type { RewardScore, SampleReward } from "../../src/reward/reward.ts";
import { cpuMs } from "../cpu-time.ts";
import { inputOf, score } from "./input.ts";

const fields = {
  nums: [1, 2, 3],
  target: 6,
  names: ["Zoey", "Oliver"],
  solution: [true, false],
  language: "zh",
  question: "A line of verse",
  code_context: { "a.py": "x\n".repeat(100) },
  oracle_new_content: { "a.py": "y\n".repeat(100) },
};

/** By name: what scores a text, with the lowest and the highest score it may give. */
const rewards: readonly [string, (text: string) => unknown, number, number][] = [
  ["accuracy, exact", of(accuracy, "A"), 0, 1],
  ["accuracy, numeric", of(accuracy, "42", { method: "numeric" }), 0, 1],
  ["accuracy, math", of(accuracy, "42", { method: "math" }), 0, 1],
  ["code-format", of(codeFormat), 0, 1],
  ["cosine-length", of(cosineLength, "42"), -1, 1],
  ["countdown", of(countdown), 0, 1],
  ["format", of(format), 0, 1],
  ["format, think", of(format, null, { style: "think" }), 0, 1],
  ["language", of(language), 0, 1],
  ["logic-rl", of(logicRl), -3, 3],
  ["multiple-choice", of(multipleChoice, "A"), 0, 1],
  ["poetry", of(poetry), 0, 3],
  ["reasoning-steps", of(reasoningSteps), 0, 1],
  ["repetition", of(repetition), -1, 0],
  ["repetition of characters", of(repetition, null, { unit: "character" }), -1, 0],
  ["soft-overlong", of(softOverlong), -1, 0],
  ["swe-rl", of(sweRl), -1, 1],
  ["tag-count", of(tagCount), 0, 1],
  ["translation", of(translation, "the cat sat on the mat"), 0, 1],
  ["translation, BLEU", of(translation, "the cat sat on the mat", { metric: "bleu" }), 0, 1],
  [
    "kimi-length",
    (text) => kimiLength.scoreGroup([inputOf(text, { answer: "42" })], kimiLength.params!.parse({})),
    0,
    0,
  ],
];

function of<Params>(reward: SampleReward<Params>, answer: string | null = null, params = {}) {
  return (text: string) => score(reward, inputOf(text, { answer, fields }), params);
}

/** One score, of whatever shape a reward gives it. */
function numberOf(result: unknown): number {
  const [one] = (Array.isArray(result) ? result : [result]) as RewardScore[];
  return typeof one === "object" && one !== null ? one.score : Number(one);
}

const PIECES = [
  ...[
    "<think>",
    "<think>\n",
    "</think>",
    "<answer>",
    "</answer>",
    "<think>a</think><answer>1</answer>",
    "<solution>",
    "\\boxed{",
  ],
  ...["\\boxed{1} ", " ", "\n", "\n\n", "a", "1", "1,", "0.", "$", "\\", "\\a{", "`", "```python\n", "\\[", "(", "{"],
  ...["\\begin{a}", "Answer: ", "A) ", "\\text{", "Zoey is a knight ", "我", "é\u0301", "😀", "\uD800", "\0", "1.\n- "],
  ...["\n### a.py\n<<<<<<< SEARCH\n", "=======\n>>>>>>> REPLACE\n```", "the cat sat on the mat ", "Step 1:", "sin "],
];
const SHAPES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `<think>x</think> <answer>${text}</answer>`,
  (text) => `<think>${text}`,
];

describe("hostile texts", () => {
  it.each(rewards)(
    "%s: 200,000 characters of anything are scored, within the bounds, in less than two seconds",
    (_, run, low, high) => {
      let numScored = 0;
      for (const piece of PIECES) {
        for (const shape of SHAPES) {
          const start = cpuMs();
          const value = numberOf(run(shape(piece.repeat(Math.ceil(200_000 / piece.length)))));
          expect(value, piece).toBeGreaterThanOrEqual(low);
          expect(value, piece).toBeLessThanOrEqual(high);
          expect(cpuMs() - start, piece).toBeLessThan(2000);
          numScored++;
        }
      }
      expect(numScored).toBe(PIECES.length * SHAPES.length);
    },
  );

  it.each(rewards)("%s: nothing, white space and stray code points are scored", (_, run, low, high) => {
    for (const text of ["", " ", "\n\t\n", "\uFEFF", "\u200B", "\uDC00", "\0", "<think>", "</answer>"]) {
      const value = numberOf(run(text));
      expect(value >= low && value <= high, JSON.stringify(text)).toBe(true);
    }
  });
});
