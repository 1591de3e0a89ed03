/**
 * What one completion's reward is compared with: the other completions of its prompt.
 *
 *   centered        R_i - mean(R)
 *   standardized    (R_i - mean(R)) / (std(R) + epsilon)
 *   leave-one-out   R_i - mean of the others = G / (G - 1) * (R_i - mean(R))
 *
 * A null is an excluded rollout: it gets 0 and is left out of every statistic. A group whose rewards are all equal gets exactly 0.
 */
import { z } from "zod";
import { RecipeError } from "../../errors.ts";
import { allEqual, mean, populationStd, sampleStd } from "../../math/statistics.ts";
import type { ScoredGroup } from "../../types.ts";

export const stdKinds = ["sample", "population", "none"] as const;
export type StdKind = (typeof stdKinds)[number];

export function stdOption(value: StdKind) {
  return z
    .enum(stdKinds)
    .default(value)
    .describe(
      "Divide advantages by the group's standard deviation over G - 1 (sample), over G (population), or not at all.",
    );
}

export function stdEpsilonOption(value: number) {
  return z
    .number()
    .positive()
    .default(value)
    .describe("Added to the standard deviation, in units of reward; above 0. 1e-4 as in TRL, 1e-6 as in verl.");
}

/** [G] */
export function standardizedRewards(rewards: readonly (number | null)[], std: StdKind, epsilon: number): number[] {
  const counted = rewards.filter((reward) => reward !== null);
  if (allEqual(counted)) return rewards.map(() => 0);
  const center = mean(counted);
  const scale = std === "none" ? 1 : (std === "sample" ? sampleStd(counted) : populationStd(counted)) + epsilon;
  return rewards.map((reward) => (reward === null ? 0 : (reward - center) / scale));
}

/** [G] No baseline at all. */
export function rawRewards(rewards: readonly (number | null)[]): number[] {
  // 0 is the advantage of an excluded rollout, not its reward
  return rewards.map((reward) => reward ?? 0);
}

/** [G] */
export function centeredRewards(rewards: readonly (number | null)[]): number[] {
  return standardizedRewards(rewards, "none", 0);
}

/** [G] */
export function leaveOneOutRewards(rewards: readonly (number | null)[]): number[] {
  const numCounted = rewards.filter((reward) => reward !== null).length;
  return centeredRewards(rewards).map((centered) => (numCounted < 2 ? 0 : (centered * numCounted) / (numCounted - 1)));
}

/** A group of one has nothing to compare with: every advantage would be 0, silently, for the whole run. */
export function requireSiblings(objective: string, groupSize: number): void {
  if (groupSize >= 2) return;
  throw new RecipeError(
    `Expected groupSize to be an integer from 2 up for ${objective}, got ${groupSize}. With one rollout every advantage is zero; use reinforce.`,
  );
}

/** [G][L] One number per rollout, laid on each of its trained tokens. */
export function onTrainedTokens(group: ScoredGroup, advantages: readonly number[]): Float32Array[] {
  return group.rollouts.map(({ sequence: { lossMask } }, i) => {
    const ofTokens = new Float32Array(lossMask.length);
    for (let t = 0; t < lossMask.length; t++) ofTokens[t] = lossMask[t] === 1 ? advantages[i]! : 0;
    return ofTokens;
  });
}
