/**
 * Format: does the whole response have the shape that was asked for?
 *
 *   r = right | wrong, by default 1 | 0
 *
 * Source: DeepSeek-R1-Zero (arXiv 2501.12948, §2.2.2); Open-R1's `format_reward`, from which this departs: the match is anchored at both
 * ends and every tag stands exactly once. Logic-RL: right 1, wrong -1. A prompt that ends in <think> counts as part of the response.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { FORMAT_STYLES, hasFormat } from "../src/verify/format.ts";

export default defineReward({
  description: "1 when the whole response has the format, else 0 (other values by parameters).",
  source: "DeepSeek-R1-Zero, arXiv 2501.12948",
  params: z.strictObject({
    style: z
      .enum(FORMAT_STYLES)
      .default("r1")
      .describe("r1: white space is free; open-r1: tags on their own lines; …-strict: nothing else."),
    right: z.number().default(1),
    wrong: z.number().default(0),
  }),
  score: ({ response }, { style, right, wrong }) => (hasFormat(response, style) ? right : wrong),
});
