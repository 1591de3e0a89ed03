/**
 * What one completion's reward is compared with: the other completions of its prompt, or a greedy one that is not trained.
 *
 *   centered        R_i - mean(R)
 *   standardized    (R_i - mean(R)) / (std + epsilon)
 *   leave-one-out   R_i - mean of the others = G / (G - 1) * (R_i - mean(R))
 *   length-weighted R_i - sum_j |o_j| R_j / sum_j |o_j|
 *
 * std is that of the group over G - 1 (sample) or over G (population); or of all rewards of the rollout batch over their number
 * less one (batch: "Lite PPO", arXiv 2508.08221, and ScaleRL; TRL's `scale_rewards: batch`); or leave-one-out, NeMo-RL's default:
 * mean and std are those of the siblings, and where these are all equal nothing is divided.
 *
 * A null is an excluded rollout: it gets 0 and is left out of every statistic. A group whose rewards are all equal gets exactly 0.
 */
import { z } from "zod";
import { RecipeError } from "../../errors.ts";
import { allEqual, mean, populationStd, sampleStd } from "../../math/statistics.ts";
import type { ScoredGroup } from "../../types.ts";
import type { Formula } from "../objective.ts";
import { countTrained } from "./aggregation.ts";

export const stdKinds = ["sample", "population", "batch", "leave-one-out", "none"] as const;
export type StdKind = (typeof stdKinds)[number];

/** [groups][G] reward totals; null where the rollout is excluded. */
export type GroupRewards = readonly (readonly (number | null)[])[];

export function stdOption(value: StdKind) {
  return z
    .enum(stdKinds)
    .default(value)
    .describe(
      "Divide advantages by the standard deviation of the group over G - 1 (sample) or over G (population), of all rewards of the step (batch), of the siblings (leave-one-out, with their mean as the baseline), or not at all.",
    );
}

export function stdEpsilonOption(value: number) {
  return z
    .number()
    .positive()
    .default(value)
    .describe("Added to the standard deviation, in units of reward; above 0. 1e-4 as in TRL, 1e-6 as in verl.");
}

/** The formula of `standardizedRewards`. */
export function standardizedFormula(std: StdKind, epsilon: number): Formula {
  const divided = (scale: string) => `(R_i - mean(R)) / (${scale} + ${epsilon})`;
  const source = "DeepSeekMath, arXiv 2402.03300, section 4.1.2";
  switch (std) {
    case "none":
      return centeredFormula;
    case "sample":
      return { symbol: "A_i", expression: divided("std(R)"), source };
    case "population":
      return { symbol: "A_i", expression: divided("std_population(R)"), source };
    case "batch":
      return { symbol: "A_i", expression: divided("std of all rewards"), source: "Lite PPO, arXiv 2508.08221" };
    case "leave-one-out": {
      const expression = `(R_i - mean(siblings)) / (std(siblings) + ${epsilon}), undivided where siblings are equal`;
      return { symbol: "A_i", expression, source: "NeMo-RL" };
    }
    default:
      throw new Error(`unknown standard deviation ${std satisfies never}`);
  }
}

export const centeredFormula: Formula = {
  symbol: "A_i",
  expression: "R_i - mean(R)",
  source: "Dr. GRPO, arXiv 2503.20783",
};

export const leaveOneOutFormula: Formula = {
  symbol: "A_i",
  expression: "R_i - mean of R_j over j != i",
  source: "RLOO, arXiv 2402.14740",
};

export const lengthWeightedFormula: Formula = {
  symbol: "A_i",
  expression: "R_i - sum_j |o_j| R_j / sum_j |o_j|",
  source: "OPO, arXiv 2505.23585",
};

export const greedyFormula: Formula = {
  symbol: "A_i",
  expression: "R_i - reward of the greedy answer",
  source: "ReMax, arXiv 2310.10505",
};

export const rawFormula: Formula = { symbol: "A_i", expression: "R_i", source: "Williams (1992)" };

/** [groups][G] */
export function standardizedRewards(rewards: GroupRewards, std: StdKind, epsilon: number): number[][] {
  const batchStd = std === "batch" ? sampleStd(rewards.flatMap(countedOf)) : Number.NaN;
  return rewards.map((group) => {
    const counted = countedOf(group);
    if (allEqual(counted)) return group.map(() => 0);
    if (std === "leave-one-out") return standardizedBySiblings(group, epsilon);
    const center = mean(counted);
    const scale = std === "none" ? 1 : epsilon + groupStd(counted, std, batchStd);
    return group.map((reward) => (reward === null ? 0 : (reward - center) / scale));
  });
}

function groupStd(counted: readonly number[], std: "sample" | "population" | "batch", batchStd: number): number {
  if (std === "batch") return batchStd;
  return std === "sample" ? sampleStd(counted) : populationStd(counted);
}

function standardizedBySiblings(group: readonly (number | null)[], epsilon: number): number[] {
  return group.map((reward, i) => {
    if (reward === null) return 0;
    const siblings = countedOf(group.filter((_, j) => j !== i));
    const centered = reward - mean(siblings);
    return allEqual(siblings) ? centered : centered / (sampleStd(siblings) + epsilon);
  });
}

/** [groups][G] No baseline at all. */
export function rawRewards(rewards: GroupRewards): number[][] {
  // 0 is the advantage of an excluded rollout, not its reward
  return rewards.map((group) => group.map((reward) => reward ?? 0));
}

/** [groups][G] */
export function centeredRewards(rewards: GroupRewards): number[][] {
  return standardizedRewards(rewards, "none", 0);
}

/** [groups][G] */
export function leaveOneOutRewards(rewards: GroupRewards): number[][] {
  const centered = centeredRewards(rewards);
  return rewards.map((group, g) => {
    const numCounted = countedOf(group).length;
    return centered[g]!.map((own) => (numCounted < 2 ? 0 : (own * numCounted) / (numCounted - 1)));
  });
}

/** [groups][G] Lengths are trained tokens; a group without any gets 0. */
export function lengthWeightedRewards(groups: readonly ScoredGroup[], rewards: GroupRewards): number[][] {
  return rewards.map((group, g) => {
    if (allEqual(countedOf(group))) return group.map(() => 0);
    let numTokens = 0;
    let weighted = 0;
    group.forEach((reward, i) => {
      if (reward === null) return;
      const length = countTrained(groups[g]!.rollouts[i]!.sequence.lossMask);
      numTokens += length;
      weighted += length * reward;
    });
    return group.map((reward) => (reward === null || numTokens === 0 ? 0 : reward - weighted / numTokens));
  });
}

/** [groups][G] A group whose greedy completion has no reward gets 0. Throws where nobody sampled one. */
export function rewardsOverGreedy(
  objective: string,
  groups: readonly ScoredGroup[],
  rewards: GroupRewards,
): number[][] {
  return rewards.map((group, g) => {
    const { greedyReward } = groups[g]!;
    if (greedyReward === undefined) {
      throw new Error(`${objective} needs the reward of a greedy completion, and group ${g} was scored without one`);
    }
    return group.map((reward) => (reward === null || greedyReward === null ? 0 : reward - greedyReward));
  });
}

/** The rewards of the rollouts that count. */
export function countedOf(group: readonly (number | null)[]): number[] {
  return group.filter((reward) => reward !== null);
}

/** Throws RecipeError for a group of one: it has nothing to compare with, and every advantage would be 0, silently, for the whole run. */
export function requireSiblings(objective: string, groups: readonly ScoredGroup[]): void {
  for (const { rollouts } of groups) requireGroupSize(objective, rollouts.length);
}

/** The same, before anything is sampled. */
export function requireGroupSize(objective: string, groupSize: number): void {
  if (groupSize >= 2) return;
  throw new RecipeError(
    `Expected groupSize to be an integer from 2 up for ${objective}, got ${groupSize}. With one rollout every advantage is zero; use reinforce.`,
  );
}

/** [groups][G][L] One number per rollout, laid on each of its trained tokens. */
export function onTrainedTokens(
  groups: readonly ScoredGroup[],
  advantages: readonly (readonly number[])[],
): Float32Array[][] {
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence: { lossMask } }, i) => {
      const ofTokens = new Float32Array(lossMask.length);
      for (let t = 0; t < lossMask.length; t++) ofTokens[t] = lossMask[t] === 1 ? advantages[g]![i]! : 0;
      return ofTokens;
    }),
  );
}
