/**
 * TOPR: the likelihood of good answers at full weight, of bad ones only as far as the policy still gives them.
 *
 *   A_i  = R_i - mean(R)                                                              the same on every token of answer i
 *   c_t  = 1 where A >= 0,   min(exp(sum_t (logp_t - sampling_t)), 1) where A < 0     the ratio of the answers' probabilities
 *   l_t  = -A sg(c_t) logp_t                                                          sg: held constant in the gradient
 *   L    = 1/S sum_i sum_t w_t l_t
 *
 * Le Roux et al., Tapered Off-Policy REINFORCE, arXiv 2503.14286; no KL. Departure: the paper weighs an answer by its reward, whose
 * sign decides; here it is the advantage, since most rewards of recipes are never negative. S counts the whole optimizer step. With
 * one update per batch, and a server that agrees with the trainer, nothing tapers. A product over a long answer is often near 0:
 * `taper: token` has each token's own ratio instead.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { anchorLogprobs, anchorOption } from "./terms/anchor.ts";
import {
  onTrainedTokens,
  requireSiblings,
  standardizedFormula,
  standardizedRewards,
  stdEpsilonOption,
  stdOption,
} from "./terms/baseline.ts";
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
import { weightedLikelihoodTerm } from "./terms/likelihood.ts";
import { parseOptions } from "./terms/options.ts";
import { taperFormulas, taperOption, taperWeights } from "./terms/taper.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const toprSchema = z
  .strictObject({
    type: z.literal("topr"),
    taper: taperOption("answer"),
    anchor: anchorOption("sampling"),
    std: stdOption("none"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .describe(
    "TOPR: log-likelihood at full weight where the advantage is positive, tapered by the answer's ratio where it is negative.",
  );

export type ToprOptions = Omit<z.input<typeof toprSchema>, "type">;

export function topr(options: ToprOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, taper, anchor } = parseOptions(toprSchema, {
    ...options,
    type: "topr",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    anchorsToSampling: anchor === "sampling",
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      ...taperFormulas(taper, anchor),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, standardizedRewards(rewards, std, stdEpsilon));
    },

    loss(example, outputs, batch) {
      const { sequence, advantages, weights, old } = example;
      const { lossMask } = sequence;
      const { logprobs } = outputs;
      const ref = beta > 0 ? referenceOf(type, example) : null;
      const numTokens = countTrained(lossMask);
      const denominator = denominatorOf(aggregation, example, numTokens, batch);
      const tapered = taperWeights(taper, lossMask, logprobs, anchorLogprobs(anchor, example));
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let klLoss = 0;
      let numNegative = 0;
      let taperSum = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const weight = advantages[t]! < 0 ? tapered[t]! : 1;
        const policy = weightedLikelihoodTerm(logprobs[t]!, weight, advantages[t]!);
        if (advantages[t]! < 0) {
          numNegative++;
          taperSum += weight;
        }
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
          "topr/negative_weight_mean": { sum: taperSum, count: numNegative },
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
