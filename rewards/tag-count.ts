/**
 * Tag count: a quarter for each tag of the Open-R1 format that stands exactly once, so that a format can be learned in parts.
 *
 *   r = 1/4 · #{t in "<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>" : t stands exactly once}
 *
 * Source: Open-R1 (Hugging Face 2025), `tag_count_reward`. A prompt that ends in "<think>\n" counts as part of the response.
 */
import { defineReward, z } from "../src/reward/reward.ts";

const TAGS = ["<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"];

export default defineReward({
  description: "0.25 for each of the four tags that stands exactly once; 0 to 1.",
  source: "Open-R1, tag_count_reward",
  params: z.strictObject({}),
  score: ({ response }) => TAGS.filter((tag) => response.split(tag).length === 2).length / TAGS.length,
});
