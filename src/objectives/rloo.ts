/**
 * RLOO: REINFORCE on whole answers, each judged against the mean of the others.
 *
 *   R_i  = reward_i - beta sum_t (old_t - ref_t)
 *   A_i  = R_i - mean of R_j over j != i                                              the same on every token of answer i
 *   l_t  = -A logp_t
 *   L    = 1/S sum_i sum_t l_t
 *
 * Ahmadian et al., Back to Basics, arXiv 2402.14740, the RLOO estimator of section 2; beta 0.03. No ratio and no clip: it is meant
 * for one update per batch. Departures: the completion's log-probability is that of its trained tokens; S counts the whole step.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { leaveOneOutFormula, leaveOneOutRewards, onTrainedTokens, requireSiblings } from "./terms/baseline.ts";
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

export const rlooSchema = z
  .strictObject({
    type: z.literal("rloo"),
    kl: klOption({ coefficient: 0.03, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .describe(
    "RLOO: leave-one-out rewards, plain policy gradient of the whole answer, KL in the reward. For one update per batch.",
  );

export type RlooOptions = Omit<z.input<typeof rlooSchema>, "type">;

export function rloo(options: RlooOptions = {}): Objective {
  const { type, kl, aggregation } = parseOptions(rlooSchema, { ...options, type: "rloo" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      leaveOneOutFormula,

      likelihoodFormula,
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, leaveOneOutRewards(rewards));
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
