/**
 * Logic-RL: knights and knaves with a strict format, in one number.
 *
 *   r = format + answer,   format 1 | -1:  <think> </think> <answer> </answer>, each exactly once and in this order
 *                          answer 2 | -1.5 | -2:  right | wrong | unreadable, missing or in a bad format        ->  3, -0.5, -1, -3
 *
 * Source: Logic-RL (Xie et al. 2025, arXiv 2502.14768). Departure: there an answer in which the words knight and knave do not occur exactly
 * as often as there are people is unreadable, which fails an answer that explains itself; `countWords: true` is that.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { lastAnswerBlock } from "../src/verify/extract.ts";
import { hasFormat } from "../src/verify/format.ts";
import { judgeAnswer } from "../src/verify/judge.ts";

export default defineReward({
  description: "3 right, -0.5 wrong, -1 unreadable, -3 in a bad format.",
  source: "Logic-RL, arXiv 2502.14768",
  params: z.strictObject({
    style: z.enum(["tags", "r1"]).default("tags").describe("r1: nothing may stand outside the tags."),
    countWords: z.boolean().default(false).describe("The source's count of knight and knave."),
    right: z.number().default(2),
    wrong: z.number().default(-1.5),
    unparseable: z.number().default(-2),
    goodFormat: z.number().default(1),
    badFormat: z.number().default(-1),
  }),
  score({ response, answer, fields }, params) {
    const verdict = judgeAnswer(response, { answer, fields }, { method: "knights-knaves", from: "answer-tag" });
    if (verdict === null) return null;
    const isFormed = hasFormat(response, params.style);
    const isReadable = isFormed && (!params.countWords || countsMatch(response, fields["names"]));
    const format = isFormed ? params.goodFormat : params.badFormat;
    const points = params[isReadable ? verdict : "unparseable"];
    return { score: format + points, parts: { format, answer: points } };
  },
});

function countsMatch(response: string, names: unknown): boolean {
  const said = (lastAnswerBlock(response) ?? "").toLowerCase().match(/knight|knave/g) ?? [];
  return Array.isArray(names) && said.length === names.length;
}
