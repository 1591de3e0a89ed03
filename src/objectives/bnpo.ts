/**
 * BNPO, by TRL's name: GRPO's advantages, and every token of the batch weighs the same.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *
 * TRL's loss_type bnpo with its other defaults: clip 0.2, epsilon 1e-4, no KL. It is not the Beta normalisation of rewards that has
 * the same initials. Departure: TRL's N counts the tokens of a micro-batch, so that its loss changes with the memory setting
 * (0.107, 0.161 and 0.564 for one batch in one, two and four parts); ours counts the whole optimizer step.
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

export const bnpoSchema = z
  .strictObject({
    type: z.literal("bnpo"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    rewards: rewardsOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-4),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .refine(decoupledFits, decoupledProblem)
  .describe("TRL's bnpo: standardised group rewards, mean over all tokens of the step, clip 0.2, no KL.");

export type BnpoOptions = Omit<z.input<typeof bnpoSchema>, "type">;

export function bnpo(options: BnpoOptions = {}): Objective {
  const { type, rewards, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(bnpoSchema, {
    ...options,
    type: "bnpo",
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
