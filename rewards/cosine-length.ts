/**
 * Cosine length: right answers are worth more when short, wrong ones cost less when long.
 *
 *   p = min(numTokens / L, 1)
 *   r = atLimit + (atZero - atLimit) · (1 + cos(pi · p)) / 2,   right: 1 -> 0.5, wrong: -1 -> -0.5
 *
 * Source: Yeo et al. 2025 (arXiv 2502.03373, §4); Open-R1's `get_cosine_scaled_reward`, from which this departs: p is clamped (beyond L the
 * cosine would rise again), lengths are tokens, and a gold answer that cannot be read abstains.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { searchedText } from "../src/verify/extract.ts";
import { answerParams, judgeAnswer } from "../src/verify/judge.ts";

export default defineReward({
  description: "Right: from 1 at no length to 0.5 at the limit; wrong: from -1 to -0.5.",
  source: "Yeo et al. 2025, arXiv 2502.03373",
  params: z.strictObject({
    ...answerParams.shape,
    maxTokens: z.int().positive().optional().describe("L in tokens; default: the generation limit."),
    rightAtZero: z.number().default(1),
    rightAtLimit: z.number().default(0.5),
    wrongAtZero: z.number().default(-1),
    wrongAtLimit: z.number().default(-0.5),
  }),
  score(input, params) {
    const verdict = judgeAnswer(searchedText(input, params.from), input, params);
    if (verdict === null) return null;
    const [atZero, atLimit] =
      verdict === "right" ? [params.rightAtZero, params.rightAtLimit] : [params.wrongAtZero, params.wrongAtLimit];
    const progress = Math.min(input.numTokens / (params.maxTokens ?? input.maxTokens), 1);
    return atLimit + ((atZero - atLimit) * (1 + Math.cos(Math.PI * progress))) / 2;
  },
});
