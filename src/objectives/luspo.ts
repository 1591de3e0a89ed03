/**
 * LUSPO: GSPO without its length bias. An answer's clipped ratio is multiplied by its length, so that long answers are not worth less
 * per token than short ones.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   s_i  = exp(1/|o_i| sum_t (logp_t - old_t))
 *   l_t  = max(-A s_i, -A clip(s_i, 1 - clipLow, 1 + clipHigh))                       the same on every token of answer i
 *   L    = 1/S sum_i |o_i| 1/|o_i| sum_t w_t l_t = 1/S sum_i sum_t w_t l_t
 *
 * Length-Unbiased Sequence Policy Optimization, arXiv 2602.05261; clip 2e-3 and 2.5e-3 as TRL prints them for the paper, no KL. The
 * length cancels the mean over tokens, so the file is gspo.ts with two numbers and an aggregation changed. Weights as there. Departures:
 * S counts the whole optimizer step, TRL's mean the sequences of a micro-batch; std as in grpo.ts.
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
} from "./terms/ratio.ts";
import { geometricMeanFormula, geometricMeanRatio, sequenceClipMetrics } from "./terms/sequence-ratio.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const luspoSchema = z
  .strictObject({
    type: z.literal("luspo"),
    clipLow: clipLowOption(2e-3),
    clipHigh: clipHighOption(2.5e-3),
    dualClip: dualClipOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-sum"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "LUSPO: GSPO's clipped ratio of the answer times the answer's length, so that every token weighs the same.",
  );

export type LuspoOptions = Omit<z.input<typeof luspoSchema>, "type">;

export function luspo(options: LuspoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(luspoSchema, { ...options, type: "luspo" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      geometricMeanFormula,
      clippedFormula(clip, "A_i", "s_i"),
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
      const ratio = geometricMeanRatio(lossMask, logprobs, old.logprobs);
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let dMeanLogRatio = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const policy = clippedSurrogate(ratio, advantages[t]!, clip);
        policyLoss += (weights[t]! * policy.value) / denominator;
        dMeanLogRatio += (weights[t]! * policy.dLogprob) / denominator;
      }
      let klLoss = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        dLogprobs[t] = dMeanLogRatio / numTokens;
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
          ...sequenceClipMetrics(example, ratio.value, clip),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
