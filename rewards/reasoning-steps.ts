/**
 * Reasoning steps: does the response say that it goes step by step?
 *
 *   r = min(1, n / target),   n the marks "Step 1:", "1." at the beginning of a line, "- " and "* " items, First, Second, Next, Finally,
 *
 * Source: Open-R1 (Hugging Face 2025), `reasoning_steps_reward`, target 3. Departure: there "1." counts on the first line of the text alone,
 * since its `^` is compiled without MULTILINE while its comment says "at start of line"; `numbered: first-line` is that.
 */
import { defineReward, z } from "../src/reward/reward.ts";

const MARKS = "Step [0-9]+:|\\n-|\\n\\*|First,|Second,|Next,|Finally,";
const PATTERNS = {
  "every-line": new RegExp(`${MARKS}|^[0-9]+\\.`, "gm"),
  "first-line": new RegExp(`${MARKS}|^[0-9]+\\.`, "g"),
};

export default defineReward({
  description: "Share of the target number of step marks, 0 to 1.",
  source: "Open-R1, reasoning_steps_reward",
  params: z.strictObject({
    target: z.int().positive().default(3).describe("Marks for the full score."),
    numbered: z.enum(["every-line", "first-line"]).default("every-line").describe("Where 1. 2. 3. count."),
  }),
  score: ({ response }, { target, numbered }) =>
    Math.min(1, (response.match(PATTERNS[numbered]) ?? []).length / target),
});
