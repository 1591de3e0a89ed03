/**
 * REINFORCE: the reward itself is the advantage. No baseline, no ratio, no clip: the estimator that the others improve on.
 *
 *   R_i  = reward_i - beta sum_t (old_t - ref_t)
 *   A_i  = R_i                                                                        the same on every token of answer i
 *   l_t  = -A logp_t
 *   L    = 1/S sum_i sum_t l_t
 *
 * Williams, Simple Statistical Gradient-Following Algorithms, Machine Learning 8 (1992), section 4; no baseline, no KL. It works with
 * groups of any size, one included, and is meant for one update per batch. Departure: S counts the whole optimizer step.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { onTrainedTokens, rawFormula, rawRewards } from "./terms/baseline.ts";
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
import { likelihoodFormula, logLikelihoodTerm } from "./terms/likelihood.ts";
import { parseOptions } from "./terms/options.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const reinforceSchema = z
  .strictObject({
    type: z.literal("reinforce"),
    kl: klOption({ coefficient: 0, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .describe("REINFORCE: plain policy gradient of the whole answer weighted by its reward. For one update per batch.");

export type ReinforceOptions = Omit<z.input<typeof reinforceSchema>, "type">;

export function reinforce(options: ReinforceOptions = {}): Objective {
  const { type, kl, aggregation } = parseOptions(reinforceSchema, { ...options, type: "reinforce" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: false,
    formula: [
      ...rewardFormula(kl),
      rawFormula,

      likelihoodFormula,
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, rawRewards(rewards));
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
        const policy = logLikelihoodTerm(logprobs[t]!, advantages[t]!);
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
          ...policyMetrics(example, outputs),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
