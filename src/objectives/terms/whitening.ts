/**
 * Advantages of a whole rollout batch on one scale: mean 0 and variance 1 over its trained tokens, so that long answers count more.
 *
 *   A_t <- (A_t - mean(A)) / sqrt(var(A) + 1e-8)
 *
 * var is over the tokens less one (sample, verl's masked_whiten) or over the tokens (population, OpenRLHF). Excluded rollouts get 0
 * and are left out of mean and variance.
 *
 * The mean over tokens of advantages that are 0 over each group's answers is not 0 where lengths differ: subtracting it moves every
 * answer of a group of equal rewards away from 0.
 */
import { z } from "zod";
import type { ScoredGroup } from "../../types.ts";
import type { Formula } from "../objective.ts";
import type { GroupRewards } from "./baseline.ts";

/** Under the square root, as in verl. */
const VARIANCE_EPSILON = 1e-8;

export type Variance = "sample" | "population";

export function varianceOption() {
  return z
    .enum(["sample", "population"])
    .default("sample")
    .describe(
      "Whitening divides the squares by the trained tokens less one (sample: verl) or by them (population: OpenRLHF).",
    );
}

/** The formula of `finishedAdvantages` with whitening; `A` is "A_i" where one number lies on all tokens of an answer. */
export function whitenedFormula(variance: Variance, A: "A_i" | "A_t" = "A_t"): Formula {
  const name = variance === "sample" ? "var" : "var_population";
  return {
    symbol: A,
    expression: `(${A} - mean(A)) / sqrt(${name}(A) + 1e-8) over all trained tokens of the rollout batch`,
    source: variance === "sample" ? "verl's masked_whiten" : "OpenRLHF",
  };
}

/** [groups][G][L] float64: one number per rollout on each of its trained tokens; null for excluded rollouts. */
export function onCountedTokens(
  groups: readonly ScoredGroup[],
  rewards: GroupRewards,
  advantages: readonly (readonly number[])[],
): (Float64Array | null)[][] {
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence: { lossMask } }, i) =>
      rewards[g]![i] === null ? null : Float64Array.from(lossMask, (trained) => trained * advantages[g]![i]!),
    ),
  );
}

/** [groups][G][L] The same advantages in float32, with mean 0 and variance 1 where `whiten`; exactly 0 where all are equal. */
export function finishedAdvantages(
  groups: readonly ScoredGroup[],
  advantages: readonly (readonly (Float64Array | null)[])[],
  whiten: boolean,
  variance: Variance = "sample",
): Float32Array[][] {
  const { center, scale } = whiten ? whitening(groups, advantages, variance) : { center: 0, scale: 1 };
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence: { lossMask } }, i) => {
      const finished = new Float32Array(lossMask.length);
      const ofTokens = advantages[g]![i]!;
      if (ofTokens === null) return finished;
      for (let t = 0; t < lossMask.length; t++) if (lossMask[t] === 1) finished[t] = (ofTokens[t]! - center) * scale;
      return finished;
    }),
  );
}

/** Mean, and 1 / sqrt(variance + epsilon), of all trained tokens. */
function whitening(
  groups: readonly ScoredGroup[],
  advantages: readonly (readonly (Float64Array | null)[])[],
  variance: Variance,
) {
  let count = 0;
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const counted = groups.flatMap(({ rollouts }, g) =>
    rollouts.flatMap(({ sequence: { lossMask } }, i) => {
      const ofTokens = advantages[g]![i]!;
      return ofTokens === null ? [] : [{ lossMask, ofTokens }];
    }),
  );
  for (const { lossMask, ofTokens } of counted) {
    for (let t = 0; t < lossMask.length; t++) {
      if (lossMask[t] === 0) continue;
      const advantage = ofTokens[t]!;
      count++;
      sum += advantage;
      if (advantage < min) min = advantage;
      if (advantage > max) max = advantage;
    }
  }
  // Rounding in the mean would make tiny advantages of equal ones, and the division by epsilon larger ones of these.
  if (min === max) return { center: min, scale: 1 };
  const center = sum / count;
  let squares = 0;
  for (const { lossMask, ofTokens } of counted) {
    for (let t = 0; t < lossMask.length; t++) if (lossMask[t] === 1) squares += (ofTokens[t]! - center) ** 2;
  }
  const divisor = variance === "sample" ? count - 1 : count;
  return { center, scale: 1 / Math.sqrt(squares / divisor + VARIANCE_EPSILON) };
}
