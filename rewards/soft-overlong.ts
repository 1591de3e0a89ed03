/**
 * Soft overlong punishment: nothing while a response is short enough, then a line down to -1 at the limit.
 *
 *   r = 0                     n <= L - c
 *       (L - c - n) / c       L - c < n <= L
 *       -1                    n > L
 *
 * Source: DAPO (Yu et al. 2025, arXiv 2503.14476, eq. 13), with L = 20,480 and c = 4,096 there: c is L/5 unless it is given.
 */
import { defineReward, z } from "../src/reward/reward.ts";

export default defineReward({
  description: "0 for responses up to L - c tokens, falling to -1 at L.",
  source: "DAPO, arXiv 2503.14476, eq. 13",
  params: z.strictObject({
    maxTokens: z.int().positive().optional().describe("L in tokens; default: the generation limit."),
    bufferTokens: z
      .int()
      .positive()
      .optional()
      .describe("c in tokens, at most L; default: L / 5, rounded down, at least 1."),
  }),
  score({ numTokens, maxTokens }, params) {
    const limit = params.maxTokens ?? maxTokens;
    const buffer = params.bufferTokens ?? Math.max(1, Math.floor(limit / 5));
    if (buffer > limit) throw new RangeError(`Expected bufferTokens of at most maxTokens ${limit}, got ${buffer}.`);
    if (numTokens > limit) return -1;
    // Never -0, which would read as a punishment in a table.
    return numTokens <= limit - buffer ? 0 : (limit - buffer - numTokens) / buffer;
  },
});
