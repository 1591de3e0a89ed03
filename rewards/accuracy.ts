/**
 * Accuracy: is the answer right?
 *
 *   r = right | wrong | unparseable, by default 1 | 0 | 0; null when the row's gold answer cannot be read
 *
 * Source: the rule-based reward of DeepSeek-R1-Zero (DeepSeek-AI 2025, arXiv 2501.12948, §2.2.2). Other papers are its parameters:
 *   DAPO (arXiv 2503.14476)       right 1, wrong -1, unparseable -1
 *   Open-Reasoner-Zero            requireStop true
 * The methods countdown and knights-knaves say right or wrong; the totals of TinyZero and of Logic-RL are rewards/countdown.ts and
 * rewards/logic-rl.ts.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { isCopied } from "../src/verify/copied.ts";
import { searchedText } from "../src/verify/extract.ts";
import { FORMAT_STYLES, hasFormat } from "../src/verify/format.ts";
import { answerParams, judgeAnswer } from "../src/verify/judge.ts";

export default defineReward({
  description: "1 for a right answer, 0 for a wrong or missing one (other values by parameters).",
  source: "DeepSeek-R1-Zero, arXiv 2501.12948",
  params: z.strictObject({
    ...answerParams.shape,
    right: z.number().default(1),
    wrong: z.number().default(0),
    unparseable: z
      .number()
      .default(0)
      .describe("No answer at its place, or none of the kind that the method compares."),
    requireFormat: z.enum(FORMAT_STYLES).optional().describe("A response without this format has no answer."),
    refuseCopied: z
      .boolean()
      .default(true)
      .describe("With method math a formula of the question is a wrong answer, where the gold is written differently."),
    requireStop: z.boolean().default(false).describe("A response that was cut at the token limit has no answer."),
  }),
  score(input, params) {
    const verdict = judgeAnswer(searchedText(input, params.from), input, params);
    if (verdict === null) return null;
    const mayBeCopy = verdict === "right" && params.refuseCopied && params.method === "math" && input.answer !== null;
    if (mayBeCopy && isCopied(input.response, input.answer, input.prompt)) return params.wrong;
    const isComplete = !params.requireStop || input.finishReason === "stop";
    const isFormed = params.requireFormat === undefined || hasFormat(input.response, params.requireFormat);
    return params[isComplete && isFormed ? verdict : "unparseable"];
  },
});
