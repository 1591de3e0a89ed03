/**
 * Repetition penalty: the share of n-grams that have been said before.
 *
 *   r = maxPenalty · (1 - distinct n-grams / n-grams);   0 for fewer than n words
 *
 * Source: Yeo et al. 2025 (arXiv 2502.03373, §4.2); Open-R1's `get_repetition_penalty_reward`: n 3, maxPenalty -1, words in lower case, split at
 * white space. Text that is written without spaces is counted in characters with `unit: character`.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { distinctShare } from "../src/verify/ngrams.ts";

export default defineReward({
  description: "0 without repeated n-grams, falling towards maxPenalty.",
  source: "Yeo et al. 2025, arXiv 2502.03373",
  params: z.strictObject({
    ngramSize: z.int().positive().default(3),
    maxPenalty: z.number().nonpositive().default(-1),
    unit: z.enum(["word", "character"]).default("word"),
  }),
  score({ completion }, { ngramSize, maxPenalty, unit }) {
    const text = completion.toLowerCase();
    const words = unit === "word" ? (text.match(/\S+/g) ?? []) : [...text.replaceAll(/\s+/g, "")];
    const share = distinctShare(words, ngramSize) ?? 1;
    // Never -0, which would read as a penalty in a table.
    return share === 1 ? 0 : maxPenalty * (1 - share);
  },
});
