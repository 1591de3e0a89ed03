/**
 * Repetition penalty: the share of n-grams that have been said before.
 *
 *   r = maxPenalty · (1 - distinct n-grams / n-grams);   0 for fewer than n words
 *
 * Source: Yeo et al. 2025 (arXiv 2502.03373, §4.2); Open-R1's `get_repetition_penalty_reward`: n 3, maxPenalty -1, words in lower case, split at
 * white space. Text that is written without spaces is counted in characters with `unit: character`.
 */
import { defineReward, z } from "../src/reward/reward.ts";

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
    const numNgrams = words.length - ngramSize + 1;
    if (numNgrams < 1) return 0;
    const distinct = new Set<string>();
    for (let start = 0; start < numNgrams; start++) distinct.add(words.slice(start, start + ngramSize).join(" "));
    return distinct.size === numNgrams ? 0 : maxPenalty * (1 - distinct.size / numNgrams);
  },
});
