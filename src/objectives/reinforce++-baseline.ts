/**
 * REINFORCE++-baseline: answers judged against their siblings, then on one scale with all tokens of the batch.
 *
 *   A_i  = R_i - mean(R)                                                              laid on every token of answer i
 *   A_i <- (A_i - mean(A)) / sqrt(var(A) + 1e-8)                                      over all trained tokens of the rollout batch
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh)) + beta k_t            r_t = exp(logp_t - old_t), k_t: k2
 *   L    = 1/N sum_i sum_t l_t
 *
 * Hu, REINFORCE++, arXiv 2501.03262, the variant with a group baseline and k2 in the loss; beta 0.01 is usual. The mean over tokens
 * is not 0 where lengths differ, so whitening moves the answers of a solved, or hopeless, group away from 0, all alike: they are
 * trained for nothing (+0.021 in verl's own numbers). Leave such groups out with rollout.dynamicSampling. variance: sample divides by
 * the tokens less one, as verl does; population by the tokens, as OpenRLHF does. Departure: N counts the whole optimizer step.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { centeredFormula, centeredRewards, requireSiblings } from "./terms/baseline.ts";
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
import { finishedAdvantages, onCountedTokens, varianceOption, whitenedFormula } from "./terms/whitening.ts";

export const reinforcePlusPlusBaselineSchema = z
  .strictObject({
    type: z.literal("reinforce++-baseline"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    variance: varianceOption(),
    kl: klOption({ coefficient: 0.01, estimator: "k2", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "REINFORCE++ with a group baseline: centred group rewards, whitened over all tokens of the batch; clip 0.2, mean over all tokens, k2 in the loss.",
  );

export type ReinforcePlusPlusBaselineOptions = Omit<z.input<typeof reinforcePlusPlusBaselineSchema>, "type">;

export function reinforcePlusPlusBaseline(options: ReinforcePlusPlusBaselineOptions = {}): Objective {
  const { type, variance, kl, aggregation, ...clip } = parseOptions(reinforcePlusPlusBaselineSchema, {
    ...options,
    type: "reinforce++-baseline",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      centeredFormula,
      whitenedFormula(variance, "A_i"),
      ratioFormula,
      clippedFormula(clip),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return finishedAdvantages(groups, onCountedTokens(groups, rewards, centeredRewards(rewards)), true, variance);
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
