/**
 * MaxRL: advantages relative to the group's mean reward, so that a right answer counts for more the harder its prompt is.
 *
 *   A_i  = (R_i - mean(R)) / (mean(R) + meanEpsilon)                                  the same on every token of answer i
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *
 * The estimator of SkyRL and prime-rl, with SkyRL's clip 0.2 and token mean; epsilon 1e-6 is usual. With rewards of 0 and 1 and sums
 * of tokens its expectation, for a prompt that is answered right with probability p, is (1 - (1 - p)^G) / p - (1 - p)^(G-1) times the
 * gradient of p: close to that of log p while p G is large. Departures: rewards below 0, under which the mean no longer measures
 * difficulty and could turn the sign, are refused, and the KL acts in the loss alone for the same reason. No KL by default.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { onTrainedTokens, requireSiblings } from "./terms/baseline.ts";
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
import { inLossProblem, isInLoss, meanEpsilonOption, relativeFormula, relativeRewards } from "./terms/relative.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const maxrlSchema = z
  .strictObject({
    type: z.literal("maxrl"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    meanEpsilon: meanEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }).refine(isInLoss, inLossProblem),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "MaxRL: centred group rewards over the group's mean, which favours hard prompts; for rewards from 0 up. Clip 0.2, mean over all tokens, no KL.",
  );

export type MaxrlOptions = Omit<z.input<typeof maxrlSchema>, "type">;

export function maxrl(options: MaxrlOptions = {}): Objective {
  const { type, meanEpsilon, kl, aggregation, ...clip } = parseOptions(maxrlSchema, { ...options, type: "maxrl" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      relativeFormula(meanEpsilon),
      ratioFormula,
      clippedFormula(clip),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, relativeRewards(type, rewards, meanEpsilon));
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
