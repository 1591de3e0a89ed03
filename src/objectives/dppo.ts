/**
 * DPPO: a trust region on each token's probability instead of a clip on its ratio.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   m_t  = 0 where the token moved the way A pushes, and further than the threshold; else 1          (terms/trust-region.ts)
 *   l_t  = -m_t A sg(min(r_t, cap)) logp_t                                            r_t = exp(logp_t - sampling_t)
 *   L    = 1/N sum_i sum_t (w_t l_t + klTau (log r_t)^2)
 *
 * Qi et al., Rethinking the Trust Region in LLM Reinforcement Learning, arXiv 2602.04879. Ratio and region are to the policy that
 * sampled, as in prime-rl and TRL; verl divides by the trainer's old policy (anchor: old). The thresholds, 0.2 (tv) and 0.05 (kl), are
 * SkyRL's; the cap of 20 is what verl's documentation recommends, while the default of its configuration is 3 and wins there. prime-rl's
 * default loss is { surrogate: ratio, cap: null, klTau: 1e-3, std: none }; its documentation shows a cap that its code has not. N counts
 * the whole optimizer step; std as in grpo.ts.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { anchoredRatioFormula, anchorLogprobs, anchorOption, squaredLogRatio } from "./terms/anchor.ts";
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
import {
  capOption,
  klTauOption,
  maskedFormula,
  maskedSurrogate,
  squaredRatioFormula,
  surrogateOption,
  withSquaredRatio,
} from "./terms/masked-surrogate.ts";
import { parseOptions } from "./terms/options.ts";
import { importanceRatio } from "./terms/ratio.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";
import {
  divergenceOption,
  hasLeft,
  maskMetrics,
  regionFormula,
  thresholdOption,
  trustRegion,
} from "./terms/trust-region.ts";

export const dppoSchema = z
  .strictObject({
    type: z.literal("dppo"),
    divergence: divergenceOption(),
    thresholdLow: thresholdOption("low"),
    thresholdHigh: thresholdOption("high"),
    anchor: anchorOption("sampling"),
    surrogate: surrogateOption("likelihood"),
    cap: capOption(20),
    klTau: klTauOption(0),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .describe(
    "DPPO: a token whose probability left a trust region the way its advantage pushes has no gradient; the others keep their ratio.",
  );

export type DppoOptions = Omit<z.input<typeof dppoSchema>, "type">;

export function dppo(options: DppoOptions = {}): Objective {
  const parsed = parseOptions(dppoSchema, { ...options, type: "dppo" });
  const { type, std, stdEpsilon, kl, aggregation, anchor, surrogate, cap, klTau } = parsed;
  const region = trustRegion(parsed);
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klTau > 0 ? ["everyToken", ...klNeeds(kl)] : klNeeds(kl),
    comparesSiblings: true,
    anchorsToSampling: anchor === "sampling",
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      anchoredRatioFormula(anchor),
      regionFormula(region),
      maskedFormula(surrogate, cap),
      ...squaredRatioFormula(klTau),
      ...klFormula(kl),
      aggregationFormula(aggregation, withSquaredRatio(tokenTerm(kl), klTau)),
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
      const anchored = anchorLogprobs(anchor, example);
      const ref = beta > 0 ? referenceOf(type, example) : null;
      const numTokens = countTrained(lossMask);
      const denominator = denominatorOf(aggregation, example, numTokens, batch);
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let penalty = 0;
      let numLow = 0;
      let numHigh = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        if (hasLeft(region, logprobs[t]!, anchored[t]!, advantages[t]!)) {
          if (advantages[t]! < 0) numLow++;
          else numHigh++;
        } else {
          const ratio = importanceRatio(logprobs[t]!, anchored[t]!).value;
          const policy = maskedSurrogate(surrogate, ratio, cap, logprobs[t]!, advantages[t]!);
          policyLoss += (weights[t]! * policy.value) / denominator;
          dLogprobs[t] = (weights[t]! * policy.dLogprob) / denominator;
        }
        if (klTau > 0) {
          const drift = squaredLogRatio(logprobs[t]!, anchored[t]!);
          penalty += (klTau * drift.value) / denominator;
          dLogprobs[t]! += (klTau * drift.dLogprob) / denominator;
        }
        if (ref === null) continue;
        const divergence = klTerm(kl, logprobs[t]!, ref[t]!, old.logprobs[t]!);
        penalty += (beta * divergence.value) / denominator;
        dLogprobs[t]! += (beta * divergence.dLogprob) / denominator;
      }
      return {
        loss: policyLoss + penalty,
        gradient: { dLogprobs },
        metrics: {
          policy_loss: stepTotal(policyLoss, numTokens, batch),
          ...policyMetrics(example, outputs),
          ...maskMetrics(numLow, numHigh, numTokens),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}
