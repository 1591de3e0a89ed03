/**
 * VESPO: each answer's log-likelihood, weighted softly by how far the answer's probability has moved; no clip and no length in it.
 *
 *   A_i   = (R_i - mean(R)) / (std(R) + stdEpsilon)                                   the same on every token of answer i
 *   W_i   = exp(sum_t (logp_t - old_t))                                               the ratio of the answers' probabilities
 *   phi_i = exp(lambda) W_i^k exp(-lambda W_i)                                        k 2, lambda 3 where A >= 0; k 3, lambda 2 where A < 0
 *   l_t   = -A sg(phi_i) logp_t                                                       sg: held constant in the gradient
 *   L     = 1/N sum_i sum_t w_t l_t
 *
 * VESPO: Variational Sequence-Level Soft Policy Optimization, arXiv 2602.10693, with TRL's k, lambda and clamps. With `mismatch` the
 * ratio is to the policy that sampled, W_i = exp(sum_t (logp_t - sampling_t)), as in TRL with its importance-sampling correction on;
 * that rules out a correction of the recipe's own. Token weights act on each token's term. Departures: N counts the whole optimizer
 * step; std as in grpo.ts.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import {
  onTrainedTokens,
  requireSiblings,
  standardizedFormula,
  standardizedRewards,
  stdEpsilonOption,
  stdOption,
} from "./terms/baseline.ts";
import { gammaFormulas, gammaOption, gammaWeight, logSequenceRatio } from "./terms/gamma-weight.ts";
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
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const vespoSchema = z
  .strictObject({
    type: z.literal("vespo"),
    kPositive: gammaOption("shape k", "not negative", 2),
    lambdaPositive: gammaOption("rate lambda", "not negative", 3),
    kNegative: gammaOption("shape k", "negative", 3),
    lambdaNegative: gammaOption("rate lambda", "negative", 2),
    mismatch: z
      .boolean()
      .default(false)
      .describe(
        "The answer's ratio is to the server's log-probabilities, not to the trainer's old ones; rules out a rollout correction.",
      ),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .describe(
    "VESPO: each answer's log-likelihood times a smooth weight of its probability ratio, which is 1 on-policy and falls on both sides.",
  );

export type VespoOptions = Omit<z.input<typeof vespoSchema>, "type">;

export function vespo(options: VespoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, mismatch, ...gamma } = parseOptions(vespoSchema, {
    ...options,
    type: "vespo",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    anchorsToSampling: mismatch,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      ...gammaFormulas(gamma, mismatch),
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
      const logRatio = logSequenceRatio(example, logprobs, mismatch);
      const phiPositive = gammaWeight(logRatio, gamma.kPositive, gamma.lambdaPositive);
      const phiNegative = gammaWeight(logRatio, gamma.kNegative, gamma.lambdaNegative);
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let klLoss = 0;
      let sumPhi = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const phi = advantages[t]! >= 0 ? phiPositive : phiNegative;
        const policy = weightedLikelihoodTerm(logprobs[t]!, phi, advantages[t]!);
        sumPhi += phi;
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
          "vespo/phi_seq_mean": { sum: numTokens === 0 ? 0 : sumPhi / numTokens, count: numTokens === 0 ? 0 : 1 },
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
