/**
 * GSPO: GRPO with one ratio per answer, because the answer is what was rewarded.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   s_i  = exp(1/|o_i| sum_t (logp_t - old_t))
 *   l_t  = max(-A s_i, -A clip(s_i, 1 - clipLow, 1 + clipHigh))                       the same on every token of answer i
 *   L    = 1/S sum_i 1/|o_i| sum_t w_t l_t
 *
 * Zheng et al., Group Sequence Policy Optimization, arXiv 2507.18071, eq. 5 and 7 and section 5.1: clip 3e-4 and 4e-4, no KL; meant
 * for several updates per batch (the paper's four). s_i is differentiated directly, d s_i / d logp_t = s_i / |o_i|. The paper's
 * GSPO-token, sg(s_i) exp(logp_t - sg(logp_t)), which verl and SkyRL ship, has the same value and the same gradient, since A is the
 * same on every token. They part with token weights: here an answer's loss is multiplied by the mean of its tokens' weights, as in TRL;
 * in GSPO-token each token's gradient by its own. So a masked token lowers its answer's weight and still moves with it. A correction
 * by products puts the product on every token, as NeMo-RL does.
 * Departures: S counts the whole optimizer step; std as in grpo.ts; the log of s_i is held at +-20 (verl: at most 10).
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

export const gspoSchema = z
  .strictObject({
    type: z.literal("gspo"),
    clipLow: clipLowOption(3e-4),
    clipHigh: clipHighOption(4e-4),
    dualClip: dualClipOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "GSPO: one clipped ratio per answer, the geometric mean of its tokens' ratios; every answer weighs the same.",
  );

export type GspoOptions = Omit<z.input<typeof gspoSchema>, "type">;

export function gspo(options: GspoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(gspoSchema, { ...options, type: "gspo" });
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
