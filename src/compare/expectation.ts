/** What a study can find, said before it starts: from the size of its evaluation and an assumption, or from runs that are there. */
import { openDataset } from "../dataset/dataset.ts";
import { asEvalStage } from "../recipe/evaluation.ts";
import type { DataSpec } from "../recipe/schema.ts";
import type { Arm } from "./arm.ts";
import { measuredStage } from "./fairness.ts";
import { ALPHA, minimumDetectableEffect, pairStd } from "./paired.ts";
import { points, type StudyResult } from "./result.ts";

/**
 * Standard deviation over seeds of the true difference between two runs, before anything is measured. Five seeds of the quickstart end
 * with scores that spread by 1.9 points, evaluation noise included (bench/RESULTS.md).
 */
const ASSUMED_SPREAD = 0.02;

export interface Expectation {
  /** In shares of 1; null for one seed, or where the size of the evaluation is not known before it is downloaded. */
  readonly effect: number | null;
  readonly sentence: string;
}

/** `earlier` is what complete runs of the study say; null: there are none. Throws RecipeError where the held-out data cannot be read. */
export async function expectationOf(
  arms: readonly Arm[],
  numSeeds: number,
  earlier: StudyResult | null,
): Promise<Expectation> {
  if (numSeeds < 2) {
    return {
      effect: null,
      sentence:
        "One seed gives no interval and no verdict: the difference between two runs may be luck. Use --seeds 5.",
    };
  }
  const numComparisons = (arms.length * (arms.length - 1)) / 2;
  const effectOf = (std: number) => minimumDetectableEffect(std, numSeeds, ALPHA / numComparisons);
  const say = (effect: number | null, basis: string): Expectation => {
    const shared = numComparisons > 1 ? ` shared by ${numComparisons} comparisons` : "";
    const found =
      effect === null || effect >= 1
        ? "not even the largest difference is found four times out of five"
        : `a difference of ${points(effect)} points is found four times out of five, a smaller one less often`;
    return {
      effect,
      sentence: `With ${numSeeds} seeds ${found} (${basis}; level ${ALPHA}${shared}). More seeds, or more held-out samples, see smaller ones.`,
    };
  };
  const measured = earlier?.comparisons.flatMap(({ final }) => final?.std || []) ?? [];
  if (measured.length > 0) {
    const std = Math.max(...measured);
    return say(
      effectOf(std),
      `differences of the runs that are there have a standard deviation of ${points(std)} points`,
    );
  }
  const sizes = await Promise.all(arms.map(({ recipe }) => numSamplesOf(recipe)));
  const smallest = sizes.includes(null) ? null : Math.min(...sizes.map((size) => size ?? 0));
  if (smallest === null) {
    return {
      effect: null,
      sentence: `What ${numSeeds} seeds can find depends on the number of held-out prompts, which is known once they are downloaded; it is told at the end, and when the study goes on.`,
    };
  }
  return say(
    effectOf(pairStd(ASSUMED_SPREAD, smallest)),
    `assuming a spread of ${points(ASSUMED_SPREAD)} points between seeds, beside the noise of ${smallest} held-out samples at 50 % right`,
  );
}

/** Prompts times samples of the evaluation that decides; null where the data must be downloaded to be counted. */
async function numSamplesOf(recipe: Arm["recipe"]): Promise<number | null> {
  const stage = measuredStage(recipe);
  if (stage === undefined) return null;
  const { data, numSamples } = asEvalStage(stage);
  const numPrompts = await numPromptsOf(data);
  return numPrompts === null ? null : numPrompts * numSamples;
}

async function numPromptsOf(spec: DataSpec): Promise<number | null> {
  if (spec.type !== "hub") return (await openDataset(spec)).rows.length;
  return spec.limit ?? (spec.holdout?.part === "eval" ? spec.holdout.count : null);
}
