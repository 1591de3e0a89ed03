/**
 * Countdown: does the expression reach the target with the given numbers?
 *
 *   r = right | wrong | missing, by default 1 | 0.1 | 0;   null where the row has no numbers or no target
 *
 * Source: TinyZero (Pan et al. 2025), countdown task. An answer that is no expression scores as a wrong one, so that the tags are learned
 * first. Departures: the whole response is searched, where the source reads its last line alone; the arithmetic is exact and has no powers
 * (src/verify/countdown.ts), where the source evaluates what passes a filter of characters that lets `**` through.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { ANSWER_PLACES, extractAnswer, searchedText } from "../src/verify/extract.ts";
import { judgeAnswer } from "../src/verify/judge.ts";

export default defineReward({
  description: "1 for the target, 0.1 for an answer that misses it, 0 without an answer.",
  source: "TinyZero",
  params: z.strictObject({
    from: z.enum(ANSWER_PLACES).default("answer-tag").describe("Where the expression stands in the response."),
    right: z.number().default(1),
    wrong: z.number().default(0.1).describe("An answer that misses the target, breaks the rules, or is no expression."),
    missing: z.number().default(0).describe("No answer at its place."),
  }),
  score(input, { from, right, wrong, missing }) {
    const text = searchedText(input, from);
    const verdict = judgeAnswer(text, input, { method: "countdown", from });
    if (verdict === null) return null;
    if (verdict === "right") return right;
    return text.trim() === "" || extractAnswer(text, from) === null ? missing : wrong;
  },
});
