/**
 * IPO, prime-rl's other mask: a token whose probability moved by more than a threshold, either way, has no policy term.
 *
 *   A_i  = R_i - mean(R)                                                              the same on every token of answer i
 *   m_t  = 0 where |p_t - q_t| > threshold, else 1                                    p, q: the policy's and the sampler's probability
 *   l_t  = -m_t A r_t                                                                 r_t = exp(logp_t - sampling_t) = p_t / q_t
 *   L    = 1/N sum_i sum_t (w_t l_t + klTau (log r_t)^2)
 *
 * prime-rl, ipo_loss_fn: threshold 0.1, klTau 1e-3, no cap; not the preference loss of the same name. The advantage is prime-rl's
 * default. Unlike dppo.ts the mask does not ask for the sign of A: a token that has to come back is left out too, and only the penalty
 * draws it. N counts the whole optimizer step.
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
import { maskMetrics, probabilityShift } from "./terms/trust-region.ts";

export const ipoSchema = z
  .strictObject({
    type: z.literal("ipo"),
    threshold: z
      .number()
      .positive()
      .default(0.1)
      .describe("Furthest a token's probability may move, either way, and still pull; a probability, above 0."),
    anchor: anchorOption("sampling"),
    surrogate: surrogateOption("ratio"),
    cap: capOption(null),
    klTau: klTauOption(1e-3),
    std: stdOption("none"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .describe(
    "IPO as in prime-rl: a token whose probability moved too far, either way, has no policy term; a squared log ratio holds all tokens.",
  );

export type IpoOptions = Omit<z.input<typeof ipoSchema>, "type">;

export function ipo(options: IpoOptions = {}): Objective {
  const parsed = parseOptions(ipoSchema, { ...options, type: "ipo" });
  const { type, std, stdEpsilon, kl, aggregation, threshold, anchor, surrogate, cap, klTau } = parsed;
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
      { symbol: "m_t", expression: `0 where |p_t - q_t| > ${threshold}, else 1`, source: "prime-rl, ipo_loss_fn" },
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
        const shift = probabilityShift(logprobs[t]!, anchored[t]!);
        if (Math.abs(shift) > threshold) {
          if (shift < 0) numLow++;
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
