/**
 * ReMax: REINFORCE on whole answers, each judged against the greedy answer to the same prompt.
 *
 *   R_i  = reward_i - beta sum_t (old_t - ref_t)
 *   A_i  = R_i - reward of the greedy answer                                          the same on every token of answer i
 *   l_t  = -A logp_t
 *   L    = 1/S sum_i sum_t l_t
 *
 * Li et al., ReMax, arXiv 2310.10505. The greedy answer is sampled once per prompt, scored, and never trained; groups of any size, one
 * included. The gradient has no bias, since that reward does not depend on the answer that is judged. Departures: no KL unless it is
 * asked for, and then not in the greedy answer's reward; S counts the whole optimizer step. verl's estimator of this name comes
 * with aggregation token-mean and a clipped ratio. A prompt whose greedy answer has no reward (failed or abstained) teaches nothing.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { greedyFormula, onTrainedTokens, rewardsOverGreedy } from "./terms/baseline.ts";
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

export const remaxSchema = z
  .strictObject({
    type: z.literal("remax"),
    kl: klOption({ coefficient: 0, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .describe(
    "ReMax: the reward less that of a greedy answer to the same prompt, plain policy gradient of the whole answer. For one update per batch.",
  );

export type RemaxOptions = Omit<z.input<typeof remaxSchema>, "type">;

export function remax(options: RemaxOptions = {}): Objective {
  const { type, kl, aggregation } = parseOptions(remaxSchema, { ...options, type: "remax" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: ["greedyReward", ...klNeeds(kl)],
    comparesSiblings: false,
    formula: [
      ...rewardFormula(kl),
      greedyFormula,
      likelihoodFormula,
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, rewardsOverGreedy(type, groups, rewards));
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
