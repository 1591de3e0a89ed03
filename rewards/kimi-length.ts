/**
 * Kimi length: within one prompt's group, shorter right answers are worth more, and long wrong ones cost more.
 *
 *   lambda_i = 0.5 - (len_i - min_len) / (max_len - min_len)
 *   r_i      = lambda_i when right, min(0, lambda_i) when wrong; all 0 when all lengths are equal
 *
 * Source: Kimi k1.5 (Kimi Team 2025, arXiv 2501.12599, §2.3.3). Departures from Open-R1's `len_reward`: lengths are tokens and are compared
 * within the prompt's own group, and a gold answer that cannot be read abstains.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { searchedText } from "../src/verify/extract.ts";
import { answerParams, judgeAnswer } from "../src/verify/judge.ts";

export default defineReward({
  description: "-0.5 to 0.5 by length within the group; at most 0 for wrong answers.",
  source: "Kimi k1.5, arXiv 2501.12599",
  params: z.strictObject(answerParams.shape),
  scoreGroup(inputs, params) {
    const lengths = inputs.map(({ numTokens }) => numTokens);
    const shortest = Math.min(...lengths);
    const range = Math.max(...lengths) - shortest;
    return inputs.map((input, index) => {
      const verdict = judgeAnswer(searchedText(input, params.from), input, params);
      if (verdict === null) return null;
      if (range === 0) return 0;
      const lambda = 0.5 - (lengths[index]! - shortest) / range;
      return verdict === "right" ? lambda : Math.min(0, lambda);
    });
  },
});
