/**
 * GPG: the plain policy gradient, and a correction for the answers that teach nothing.
 *
 *   A_i   = alpha (R_i - mean(R)) / F                                                 the same on every token of answer i
 *   alpha = B / (B - M)                      B: answers of the rollout batch, M: those in groups of equal rewards
 *   l_t   = -A logp_t
 *   L     = 1/N sum_i sum_t l_t
 *
 * Chu et al., GPG, arXiv 2504.02546; F = 1, no ratio, no reference. The paper samples on until a share beta_th of the answers
 * teaches: that is rollout.dynamicSampling. alpha: nonzero-scores is verl's B / (number of answers whose reward is not 0), which
 * shrinks with every right answer, also in a group that is solved; none is 1. Departures: B counts the rollout batch and N the
 * optimizer step, so several updates per batch share one alpha.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { alphaFormula, alphaOption, scaledByAlpha } from "./terms/alpha.ts";
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
import { likelihoodFormula, logLikelihoodTerm } from "./terms/likelihood.ts";
import { parseOptions } from "./terms/options.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const gpgSchema = z
  .strictObject({
    type: z.literal("gpg"),
    alpha: alphaOption("mixed-groups"),
    std: stdOption("none"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .describe(
    "GPG: centred group rewards, scaled up for the answers in groups of equal rewards, plain policy gradient, mean over all tokens. For one update per batch.",
  );

export type GpgOptions = Omit<z.input<typeof gpgSchema>, "type">;

export function gpg(options: GpgOptions = {}): Objective {
  const { type, alpha, std, stdEpsilon, kl, aggregation } = parseOptions(gpgSchema, { ...options, type: "gpg" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      ...alphaFormula(alpha, standardizedFormula(std, stdEpsilon)),
      likelihoodFormula,
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, scaledByAlpha(rewards, standardizedRewards(rewards, std, stdEpsilon), alpha));
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
