/**
 * CISPO: the ratio is clipped as a weight and the token is never left out, so that rare tokens that turn a solution keep their
 * gradient.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   c_t  = min(r_t, 5)                                                                r_t = exp(logp_t - old_t)
 *   l_t  = -A sg(c_t) logp_t                                                          sg: held constant in the gradient
 *   L    = 1/N sum_i sum_t w_t l_t
 *
 * MiniMax, MiniMax-M1, arXiv 2506.13585, eq. 4 and 5: no lower bound, no KL, mean over tokens. The paper tunes the upper bound and does
 * not print it; the cap of 5 is that of ScaleRL (Khatri et al., arXiv 2510.13786) in TRL's reading. What a bound means differs between
 * trainers: see terms/ratio-cap.ts and the option `cap`. Departures: eq. 4 divides by the tokens of one group; N counts the whole
 * optimizer step; std as in grpo.ts.
 */
import { z } from "zod";
import { clamp } from "../math/statistics.ts";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { anchoredRatioFormula, anchorLogprobs, anchorOption } from "./terms/anchor.ts";
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
import { importanceRatio } from "./terms/ratio.ts";
import { capBounds, capFormula, capHoldsOne, capProblem, cappedFormula, ratioCapOptions } from "./terms/ratio-cap.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const cispoSchema = z
  .strictObject({
    type: z.literal("cispo"),
    ...ratioCapOptions({ cap: "absolute", clipLow: null, clipHigh: 5 }),
    anchor: anchorOption("old"),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(capHoldsOne, capProblem)
  .describe(
    "CISPO: the capped ratio weighs each token's log-likelihood; no token is left out. Say with cap whose reading of the bounds is meant.",
  );

export type CispoOptions = Omit<z.input<typeof cispoSchema>, "type">;

export function cispo(options: CispoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, anchor, ...cap } = parseOptions(cispoSchema, {
    ...options,
    type: "cispo",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  const [lowest, highest] = capBounds(cap);
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    anchorsToSampling: anchor === "sampling",
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      anchoredRatioFormula(anchor),
      capFormula(cap),
      cappedFormula,
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
      const anchored = anchorLogprobs(anchor, example);
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let klLoss = 0;
      let numCapped = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const ratio = importanceRatio(logprobs[t]!, anchored[t]!).value;
        const policy = weightedLikelihoodTerm(logprobs[t]!, clamp(ratio, lowest, highest), advantages[t]!);
        if (ratio > highest && advantages[t]! > 0) numCapped++;
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
          cispo_clip_ratio: { sum: numCapped, count: numTokens },
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
