/**
 * Pass@k GRPO: only the best answer of a group is credited, with what the group would lose without it.
 *
 *   A_i  = (R_i - second largest R) / (std(R) + stdEpsilon) for the first answer with the largest R, 0 for the others
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *
 * Tang et al., Optimizing Language Models for Inference Time Objectives using Reinforcement Learning, arXiv 2503.19595, as verl's
 * grpo_passk has it: std over G - 1 with epsilon 1e-6, clip 0.2, token-mean. It raises the largest reward of G answers, not
 * the mean: with std none and sums of tokens its gradient is 1/G of that of pass@G, exactly. So a group with two best answers teaches
 * nothing, and no answer is ever made less likely. Departures: no dual clip unless asked for; N counts the whole optimizer step.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { onTrainedTokens, requireSiblings, stdEpsilonOption, stdOption } from "./terms/baseline.ts";
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
import { leadsOfBest, passkFormula } from "./terms/passk.ts";
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
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const grpoPasskSchema = z
  .strictObject({
    type: z.literal("grpo-passk"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "Pass@k GRPO: only the best answer of a group is credited, with its lead over the second best; mean over all tokens, clip 0.2, no KL.",
  );

export type GrpoPasskOptions = Omit<z.input<typeof grpoPasskSchema>, "type">;

export function grpoPassk(options: GrpoPasskOptions = {}): Objective {
  const { type, std, stdEpsilon, kl, aggregation, ...clip } = parseOptions(grpoPasskSchema, {
    ...options,
    type: "grpo-passk",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: klNeeds(kl),
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      passkFormula(std, stdEpsilon),
      ratioFormula,
      clippedFormula(clip),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, leadsOfBest(rewards, std, stdEpsilon));
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
