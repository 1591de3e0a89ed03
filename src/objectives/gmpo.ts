/**
 * GMPO: the geometric mean of an answer's clipped token ratios, which one wild token cannot carry away.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   x_t  = min(logp_t - old_t, clipHigh) where A > 0,   max(logp_t - old_t, -clipLow) where A < 0
 *   l_t  = -A exp(1/|o_i| sum_t x_t)                                                  the same on every token of answer i
 *   L    = 1/S sum_i 1/|o_i| sum_t w_t l_t
 *
 * Zhao et al., Geometric-Mean Policy Optimization, arXiv 2507.20673: clip e^-0.4 and e^0.4 on each token, no KL. An answer's loss is
 * multiplied by the mean of its tokens' weights, as in gspo.ts. Departures: S counts the whole optimizer step (verl's geo_mean takes
 * the mean of a micro-batch, so its gradient changes with the memory setting); std as in grpo.ts; the mean of x is held at +-20.
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
import { logClipOption, oneSidedFormula, oneSidedLogRatio } from "./terms/one-sided.ts";
import { parseOptions } from "./terms/options.ts";
import { importanceRatio } from "./terms/ratio.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const gmpoSchema = z
  .strictObject({
    type: z.literal("gmpo"),
    clipLow: logClipOption("low", 0.4),
    clipHigh: logClipOption("high", 0.4),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-mean"),
  })
  .describe(
    "GMPO: the geometric mean of token ratios, each clipped on the side its advantage pushes to; every answer weighs the same.",
  );

export type GmpoOptions = Omit<z.input<typeof gmpoSchema>, "type">;

export function gmpo(options: GmpoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(gmpoSchema, { ...options, type: "gmpo" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  const ratioClip = { clipLow: 1 - Math.exp(-clip.clipLow), clipHigh: Math.exp(clip.clipHigh) - 1, dualClip: null };
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      oneSidedFormula(clip),
      { symbol: "l_t", expression: "-A_i exp(1/|o_i| sum_t x_t)", source: "GMPO, arXiv 2507.20673" },
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
      const dLogprobs = new Float32Array(lossMask.length);
      let sumLogRatios = 0;
      let weightedAdvantage = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        sumLogRatios += oneSidedLogRatio(logprobs[t]!, old.logprobs[t]!, advantages[t]!, clip).value;
        weightedAdvantage += (weights[t]! * advantages[t]!) / denominator;
      }
      const ratio = importanceRatio(numTokens === 0 ? 0 : sumLogRatios / numTokens, 0);
      const policyLoss = -weightedAdvantage * ratio.value;
      const dSumLogRatios = numTokens === 0 ? 0 : (-weightedAdvantage * ratio.dLogprob) / numTokens;
      let klLoss = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        dLogprobs[t] = dSumLogRatios * oneSidedLogRatio(logprobs[t]!, old.logprobs[t]!, advantages[t]!, clip).dLogprob;
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
          ...policyMetrics(example, outputs, ratioClip),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
