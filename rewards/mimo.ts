/**
 * MiMo: harder tests are worth their own points.
 *
 *   strict   sum of points_k over levels k of which, and of all easier levels of which, every test passes
 *   soft     sum over passed tests of points_k / n_k
 *   0 without a program, null where the row has no tests
 *
 * Source: MiMo (Xiaomi 2025, arXiv 2505.07608, test difficulty driven reward). Levels come from the row: `test_levels`, a list of
 * { tests: [indices], points } from easiest to hardest, or `test_pass_rates` [tests], which the thresholds cut into levels. The scores are
 * points; divide by their sum with `normalise`.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { codeParams, prepareCode, runCode } from "../src/sandbox/score.ts";
import { softScore, strictScore, type TestLevel, testLevels } from "../src/verify/test-levels.ts";

const levelsOfRow = z
  .array(z.object({ tests: z.array(z.int().nonnegative()).min(1), points: z.number().positive() }))
  .min(1);

export default defineReward({
  description: "Points of the levels of tests that the program passes.",
  source: "MiMo, arXiv 2505.07608",
  params: z
    .strictObject({
      ...codeParams.shape,
      mode: z.enum(["strict", "soft"]).default("soft"),
      thresholds: z
        .array(z.number().min(0).max(1))
        .default([0.67, 0.33])
        .describe("Falling pass rates that part the levels of test_pass_rates; the paper does not give its own."),
      points: z
        .array(z.number().positive())
        .default([1, 1, 1])
        .describe("Of the levels, from easiest; one more than thresholds."),
      normalise: z.boolean().default(true).describe("Divide by the sum of all points, so that a full pass is 1."),
    })
    .refine(
      ({ thresholds }) => thresholds.every((rate, k) => k === 0 || rate < thresholds[k - 1]!),
      "Expected thresholds that fall",
    )
    .refine(
      ({ thresholds, points }) => points.length === thresholds.length + 1,
      "Expected one more of points than of thresholds",
    ),
  prepare: prepareCode,
  async score(input, { mode, thresholds, points, normalise, ...params }) {
    const result = await runCode(input, params);
    if (result.status === "untested") return null;
    if (result.status === "no-code") return 0;
    const passed = result.tests.map(({ verdict }) => verdict === "pass");
    const levels = levelsOf(input.fields, passed.length, { thresholds, points });
    const score = mode === "strict" ? strictScore(levels, passed) : softScore(levels, passed);
    return normalise ? score / levels.reduce((sum, level) => sum + level.points, 0) : score;
  },
});

function levelsOf(
  fields: Readonly<Record<string, unknown>>,
  numTests: number,
  cut: { readonly thresholds: readonly number[]; readonly points: readonly number[] },
): readonly TestLevel[] {
  const { test_levels: given, test_pass_rates: rates } = fields;
  if (given != null) {
    const levels = levelsOfRow.parse(given);
    const indices = levels.flatMap(({ tests }) => tests).sort((a, b) => a - b);
    if (indices.length !== numTests || indices.some((index, place) => index !== place)) {
      throw new Error(`Expected test_levels to hold each of ${numTests} tests once, got ${indices.join(", ")}.`);
    }
    return levels;
  }
  const known = z.array(z.number().min(0).max(1)).length(numTests).safeParse(rates);
  if (!known.success) {
    throw new Error(`Expected test_levels, or test_pass_rates of ${numTests} tests from 0 to 1, in the row.`);
  }
  return testLevels(known.data, cut);
}
