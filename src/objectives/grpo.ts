/**
 * GRPO: each answer is judged against its siblings, and weighs the same however long it is.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh)) + beta k3_t           r_t = exp(logp_t - old_t)
 *   L    = 1/S sum_i 1/|o_i| sum_t l_t
 *
 * Shao et al., DeepSeekMath, arXiv 2402.03300, eq. 3 and 4 and section 4.1.2; beta 0.04. Departures: the paper prints no epsilon
 * beside std and does not say over what std divides; ours is over G - 1, as in TRL, verl and OpenRLHF, with verl's 1e-6. Its clip
 * range is PPO's 0.2. S counts the whole optimizer step.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import {
  onTrainedTokens,
  requireSiblings,
  standardizedRewards,
  stdEpsilonOption,
  stdOption,
} from "./terms/baseline.ts";
import {
  comparedFormula,
  decoupledAdvantages,
  decoupledFits,
  decoupledProblem,
  rewardsOption,
} from "./terms/decoupled.ts";
import {
  klFormula,
  klNeeds,
  klOption,
  klTerm,
  referenceOf,
  rewardFormula,
  rewardsWithKl,
  tokenTerm,
} from "./terms/kl.ts";
import { parseOptions } from "./terms/options.ts";
import {
  clipHighOption,
  clipLowOption,
  clippedFormula,
  clippedSurrogate,
  dualClipLeavesRoom,
  dualClipOption,
  dualClipProblem,
  importanceRatio,
  ratioFormula,
} from "./terms/ratio.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const grpoSchema = z
  .strictObject({
    type: z.literal("grpo"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    rewards: rewardsOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0.04, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .refine(decoupledFits, decoupledProblem)
  .describe(
    "GRPO as in DeepSeekMath: standardised group rewards, mean over answers of the mean over tokens, KL in the loss.",
  );

export type GrpoOptions = Omit<z.input<typeof grpoSchema>, "type">;

export function grpo(options: GrpoOptions = {}): Objective {
  const { type, rewards, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(grpoSchema, {
    ...options,
    type: "grpo",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      ...comparedFormula(rewards, std, stdEpsilon),
      ratioFormula,
      clippedFormula(clip),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      if (rewards !== "total") return decoupledAdvantages(type, groups, rewards, stdEpsilon);
      const totals = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, standardizedRewards(totals, std, stdEpsilon));
    },

    loss(example, outputs, batch) {
      const { sequence, advantages, weights, old } = example;
      const { lossMask } = sequence;
      const { logprobs } = outputs;
      const ref = beta > 0 ? referenceOf(type, example) : null;
      const numTokens = countTrained(lossMask);
      const denominator = denominatorOf(aggregation, example, numTokens, batch);
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let klLoss = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const ratio = importanceRatio(logprobs[t]!, old.logprobs[t]!);
        const policy = clippedSurrogate(ratio, advantages[t]!, clip);
        policyLoss += (weights[t]! * policy.value) / denominator;
        dLogprobs[t] = (weights[t]! * policy.dLogprob) / denominator;
        if (ref === null) continue;
        const divergence = klTerm(kl, logprobs[t]!, ref[t]!, old.logprobs[t]!);
        klLoss += (beta * divergence.value) / denominator;
        dLogprobs[t]! += (beta * divergence.dLogprob) / denominator;
      }
      return {
        loss: policyLoss + klLoss,
        gradient: { dLogprobs },
        metrics: {
          policy_loss: stepTotal(policyLoss, numTokens, batch),
          ...policyMetrics(example, outputs, clip),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
