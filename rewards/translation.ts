/**
 * Translation: how close is the answer to the reference translation?
 *
 *   r = chrF or BLEU of one sentence, 0 to 1;   0 without an answer, null without a reference
 *
 * Source: metric rewards as in MT-R1 (survey arXiv 2505.00551); chrF of Popovic 2015 and BLEU of Papineni et al. 2002, value for value
 * sacreBLEU's divided by 100. BLEU without a multi-word match is noise on a sentence; chrF is the default.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { BLEU_TOKENS, bleu } from "../src/verify/bleu.ts";
import { chrf } from "../src/verify/chrf.ts";
import { afterThinking, lastAnswerBlock } from "../src/verify/extract.ts";

export default defineReward({
  description: "chrF (or BLEU) of the answer against the reference, 0 to 1.",
  source: "Popovic 2015, W15-3049",
  params: z.strictObject({
    metric: z.enum(["chrf", "bleu"]).default("chrf"),
    tokens: z.enum(BLEU_TOKENS).default("13a").describe("For bleu: char for Chinese and Japanese."),
    from: z
      .enum(["auto", "answer-tag", "whole"])
      .default("auto")
      .describe("auto: the answer tags, else what follows the thinking; whole: the completion."),
    maxChars: z.int().positive().default(20_000).describe("Of an answer; a longer one is no translation: 0."),
  }),
  score({ response, completion, answer }, { metric, tokens, from, maxChars }) {
    if (answer === null || answer.trim() === "") return null;
    const block = from === "whole" ? completion : lastAnswerBlock(response);
    const text = block ?? (from === "auto" ? spokenPart(response) : null);
    if (text === null || text.length > maxChars) return 0;
    return metric === "chrf" ? chrf(text, answer) : bleu(text, answer, { tokens });
  },
});

/** Thinking that never ends has no answer after it. */
function spokenPart(response: string): string | null {
  const spoken = afterThinking(response);
  return spoken.includes("<think>") ? null : spoken;
}
