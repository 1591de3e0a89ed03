/**
 * REINFORCE++: every token gets the reward that is still to come, compared with all tokens of the batch instead of with siblings.
 *
 *   R_t  = -beta k_t, and on the last trained token the completion's reward besides   k_t = old_t - ref_t
 *   A_t  = sum over s >= t of gamma^(s-t) R_s
 *   A_t <- (A_t - mean(A)) / sqrt(var(A) + 1e-8)                                      over all trained tokens of the rollout batch
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *
 * Hu, REINFORCE++, arXiv 2501.03262; gamma 1, clip 0.2, and beta 0.01 of OpenRLHF, the author's trainer. Groups of any size, one
 * included: nothing is compared within a prompt, so an easy prompt is praised for being easy. Long answers count more in mean and
 * variance, token by token. variance: sample divides by the tokens less one, as verl does; population by the tokens, as OpenRLHF
 * does. Departures: gamma counts trained tokens; N counts the whole optimizer step. With kl.placement loss (Logic-RL, k3) R_t is the
 * completion's reward alone.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { gammaOption } from "./terms/gae.ts";
import { klFormula, klNeeds, klOption, klTerm, referenceOf, tokenTerm } from "./terms/kl.ts";
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
import { returnsFormula, tokenReturns } from "./terms/returns.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";
import { finishedAdvantages, varianceOption, whitenedFormula } from "./terms/whitening.ts";

export const reinforcePlusPlusSchema = z
  .strictObject({
    type: z.literal("reinforce++"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    gamma: gammaOption(),
    variance: varianceOption(),
    kl: klOption({ coefficient: 0.01, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "REINFORCE++: the return of each token, KL in the reward, whitened over all tokens of the batch; clip 0.2, mean over all tokens.",
  );

export type ReinforcePlusPlusOptions = Omit<z.input<typeof reinforcePlusPlusSchema>, "type">;

export function reinforcePlusPlus(options: ReinforcePlusPlusOptions = {}): Objective {
  const { type, gamma, variance, kl, aggregation, ...clip } = parseOptions(reinforcePlusPlusSchema, {
    ...options,
    type: "reinforce++",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: false,
    formula: [
      ...returnsFormula(gamma, kl),
      whitenedFormula(variance),
      ratioFormula,
      clippedFormula(clip, "A_t"),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      return finishedAdvantages(groups, tokenReturns(groups, old, ref, gamma, kl), true, variance);
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
