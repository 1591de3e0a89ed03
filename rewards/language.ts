/**
 * Language consistency: the share of the reasoning's words that are in the language of the prompt.
 *
 *   r = words of the thinking in the target language / words of the thinking;   1 without any word
 *
 * Source: DeepSeek-R1 (arXiv 2501.12948, §2.3.2), on the chain of thought alone. Code, LaTeX and formulas are masked first, since they
 * look English in every language. A word is a run of letters, or one Han or kana character; digits and punctuation are no words.
 *
 * Languages are told apart by their script, exactly and for any text, however short. That is all this can tell: two languages of one
 * script (English and French, Chinese and the Han part of Japanese) count as one.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { thinkingOf } from "../src/verify/extract.ts";
import { LANGUAGES, languageShare } from "../src/verify/language.ts";

export default defineReward({
  description: "Share of words in the target language's script, 0 to 1; 1 for text without words.",
  source: "DeepSeek-R1, arXiv 2501.12948, §2.3.2",
  params: z.strictObject({
    language: z.enum(LANGUAGES).optional().describe("Target of every prompt; default: the row's own, in `field`."),
    field: z.string().default("language").describe("Column with the target of each prompt, e.g. en."),
    part: z.enum(["thinking", "response"]).default("thinking"),
  }),
  score({ response, fields }, { language, field, part }) {
    const target = language ?? LANGUAGES.find((known) => known === fields[field]);
    // A row that does not say its language, or one we cannot tell by script, is not wrong.
    if (target === undefined) return null;
    return languageShare(part === "thinking" ? thinkingOf(response) : response, target);
  },
});
