/**
 * OPO: REINFORCE on whole answers with the baseline of least variance, under the assumption that an answer's squared score is as
 * large as the answer is long.
 *
 *   A_i  = R_i - sum_j |o_j| R_j / sum_j |o_j|                                        the same on every token of answer i
 *   l_t  = -A logp_t
 *   L    = 1/S sum_i sum_t l_t
 *
 * Hao et al., On-Policy RL with Optimal Reward Baseline, arXiv 2505.23585; no KL, no entropy bonus, and exactly on-policy: one update
 * per batch, so there is no ratio to clip. Departures: |o_j| counts trained tokens; S counts the whole optimizer step. In verl the
 * same advantages go through its clipped loss and token-mean.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { lengthWeightedFormula, lengthWeightedRewards, onTrainedTokens, requireSiblings } from "./terms/baseline.ts";
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

export const opoSchema = z
  .strictObject({
    type: z.literal("opo"),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .describe(
    "OPO: the reward less the length-weighted mean of its group, plain policy gradient of the whole answer. For one update per batch.",
  );

export type OpoOptions = Omit<z.input<typeof opoSchema>, "type">;

export function opo(options: OpoOptions = {}): Objective {
  const { type, kl, aggregation } = parseOptions(opoSchema, { ...options, type: "opo" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      lengthWeightedFormula,
      likelihoodFormula,
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, lengthWeightedRewards(groups, rewards));
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
