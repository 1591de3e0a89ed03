/**
 * SAPO: a soft gate on each token's ratio where PPO has a clip, so that a token leaves the update gradually, and sooner where its
 * advantage is negative.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   l_t  = -A 4/tau sigma(tau (r_t - 1))                                              r_t = exp(logp_t - old_t)
 *   L    = 1/S sum_i 1/|o_i| sum_t w_t l_t                                            tau by the sign of A
 *
 * Gao et al., Soft Adaptive Policy Optimization, arXiv 2511.20347; tau 1.0 where A > 0 and 1.05 elsewhere, no KL. Departures: S counts
 * the whole optimizer step; std as in grpo.ts.
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
import { importanceRatio, ratioFormula } from "./terms/ratio.ts";
import { gatedFormula, gatedSurrogate, tauOption } from "./terms/soft-gate.ts";
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const sapoSchema = z
  .strictObject({
    type: z.literal("sapo"),
    tauPositive: tauOption("positive", 1),
    tauNegative: tauOption("negative", 1.05),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("seq-mean-token-mean"),
  })
  .describe("SAPO: a sigmoid gate on each token's ratio instead of a clip, steeper where the advantage is negative.");

export type SapoOptions = Omit<z.input<typeof sapoSchema>, "type">;

export function sapo(options: SapoOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, ...gate } = parseOptions(sapoSchema, { ...options, type: "sapo" });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      ratioFormula,
      gatedFormula(gate),
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
      let policyLoss = 0;
      let klLoss = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const ratio = importanceRatio(logprobs[t]!, old.logprobs[t]!);
        const policy = gatedSurrogate(ratio, advantages[t]!, gate);
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
