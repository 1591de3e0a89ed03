/**
 * Several rewards, each on its own scale before they are added, so that one of wide range does not drown the others, and answers with
 * the same total for different reasons stay apart.
 *
 *   z_ik = (R_ik - mean(R_k)) / (std(R_k) + stdEpsilon)      over the group's answers that reward k scored; std over their number less one
 *   A_i  = sum_k weight_k z_ik                               weights: the recipe's
 *   A_i <- A_i / (std(A) + 1e-4)                             decoupled-by-answer: over the answers of the rollout batch, as in TRL
 *   A_i <- (A_i - mean(A)) / sqrt(var(A) + 1e-8)             decoupled-by-token: over its trained tokens, as in verl
 *
 * GDPO; TRL's multi_objective_aggregation normalize_then_sum, verl's gdpo. Its stdEpsilon is 1e-4. By answer there is no mean to take
 * off: every z_k adds up to 0 in its group. By token there is, and it moves the answers of groups of equal rewards away from 0.
 */
import { z } from "zod";
import { RecipeError } from "../../errors.ts";
import { sampleStd } from "../../math/statistics.ts";
import type { RewardOutcome, ScoredGroup } from "../../types.ts";
import type { Formula } from "../objective.ts";
import {
  countedOf,
  type GroupRewards,
  onTrainedTokens,
  type StdKind,
  standardizedFormula,
  standardizedRewards,
} from "./baseline.ts";
import type { Kl } from "./kl.ts";
import { finishedAdvantages, onCountedTokens, whitenedFormula } from "./whitening.ts";

const BATCH_EPSILON = 1e-4;

export const rewardKinds = ["total", "decoupled-by-answer", "decoupled-by-token"] as const;
export type RewardKind = (typeof rewardKinds)[number];

export function rewardsOption() {
  return z
    .enum(rewardKinds)
    .default("total")
    .describe(
      "total: the weighted sum of the rewards is compared with the group's. decoupled (GDPO): each reward is standardised in its group, then they are weighed and added, then whitened over the answers (by-answer: TRL) or the tokens (by-token: verl) of the batch; needs std: sample and no KL in the reward; its usual stdEpsilon is 1e-4.",
    );
}

/** Each reward is standardised in the one published way, and a divergence has no reward of its own to be in. */
export function decoupledFits(options: {
  readonly rewards: RewardKind;
  readonly std: StdKind;
  readonly kl: Pick<Kl, "coefficient" | "placement">;
}): boolean {
  if (options.rewards === "total") return true;
  return options.std === "sample" && (options.kl.coefficient === 0 || options.kl.placement === "loss");
}

export const decoupledProblem = {
  path: ["rewards"],
  message: "expected total, or std: sample without KL in the reward: decoupled rewards are standardised one by one",
};

/** [groups][G][L] Throws RecipeError where a group does not hold its rewards' weights. */
export function decoupledAdvantages(
  objective: string,
  groups: readonly ScoredGroup[],
  kind: Exclude<RewardKind, "total">,
  stdEpsilon: number,
): Float32Array[][] {
  const totals = groups.map(({ rewards }) => rewards.map(({ total }) => total));
  const sums = weightedSums(objective, groups, totals, stdEpsilon);
  if (kind === "decoupled-by-token") return finishedAdvantages(groups, onCountedTokens(groups, totals, sums), true);
  const scale = BATCH_EPSILON + sampleStd(sums.flatMap((group, g) => group.filter((_, i) => totals[g]![i] !== null)));
  return onTrainedTokens(
    groups,
    sums.map((group) => group.map((advantage) => (advantage === 0 ? 0 : advantage / scale))),
  );
}

/** [groups][G] sum_k weight_k z_k; 0 for excluded rollouts. */
function weightedSums(
  objective: string,
  groups: readonly ScoredGroup[],
  totals: GroupRewards,
  stdEpsilon: number,
): number[][] {
  return groups.map(({ rewards, rewardWeights }, g) => {
    if (rewardWeights === undefined) {
      throw new RecipeError(
        `Expected the weights of the rewards for ${objective} with decoupled rewards, got none with group ${g}. Score the rollouts with a recipe, or use rewards: total.`,
      );
    }
    const sums = rewards.map(() => 0);
    for (const [name, weight] of Object.entries(rewardWeights)) {
      const scores = rewards.map(({ outcomes }, i) => (totals[g]![i] === null ? null : scoreOf(outcomes[name])));
      if (countedOf(scores).length === 0) continue;
      const [standardized] = standardizedRewards([scores], "sample", stdEpsilon);
      standardized!.forEach((own, i) => {
        sums[i]! += weight * own;
      });
    }
    return sums;
  });
}

function scoreOf(outcome: RewardOutcome | undefined): number | null {
  return outcome?.status === "scored" ? outcome.score : null;
}

/** The lines from the rewards to the advantage. */
export function comparedFormula(kind: RewardKind, std: StdKind, stdEpsilon: number): Formula[] {
  if (kind === "total") return [standardizedFormula(std, stdEpsilon)];
  const lines: Formula[] = [
    { symbol: "z_ik", expression: `(R_ik - mean(R_k)) / (std(R_k) + ${stdEpsilon})`, source: "GDPO" },
    { symbol: "A_i", expression: "sum_k weight_k z_ik", source: "GDPO" },
  ];
  if (kind === "decoupled-by-token") return [...lines, whitenedFormula("sample", "A_i")];
  const expression = `A_i / (std(A) + ${BATCH_EPSILON}) over all answers of the rollout batch`;
  return [...lines, { symbol: "A_i", expression, source: "TRL's normalize_then_sum" }];
}
