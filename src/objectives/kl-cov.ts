/**
 * KL-Cov: the tokens that would lower the entropy most, likely ones of good answers and unlikely ones of bad answers, are tied to the
 * old policy.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   c_t  = (A - mean(A)) (logp_t - mean(logp))                                        over the tokens of the optimizer step
 *   l_t  = -A r_t                                                                     r_t = exp(logp_t - old_t)
 *   l_t  = -A r_t + penalty |log r_t| for the `fraction` of all tokens with the largest c_t
 *   L    = 1/N sum_i sum_t l_t
 *
 * Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv 2505.22617. Numbers are verl's:
 * 2e-4, and 0.1 of its configuration (its function's own fallback, and SkyRL, say 1; SkyRL's fraction is 0.2). No clip, GRPO's
 * advantages, no KL to a reference. Departures: c_t and the largest are of the whole optimizer step (terms/covariance.ts); a weight
 * between server and trainer scales the penalty with its token. At ratio 1 the penalty is flat: it acts from the second
 * update of a rollout batch on.
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
  covarianceFormula,
  fractionOption,
  indicesOfLargest,
  numChosen,
  tokenCovariances,
} from "./terms/covariance.ts";
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
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";

export const klCovSchema = z
  .strictObject({
    type: z.literal("kl-cov"),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    fraction: fractionOption(2e-4, "are tied to the old policy"),
    penalty: z
      .number()
      .min(0)
      .default(0.1)
      .describe(
        "Weight of |log r| on these tokens; per nat, from 0 up. 0.1 as in verl's configuration, 1 in its function and in SkyRL.",
      ),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .describe(
    "KL-Cov: the unclipped ratio with GRPO's advantages, and a pull to the old policy on the few tokens that would lower the entropy most. For several updates per batch.",
  );

export type KlCovOptions = Omit<z.input<typeof klCovSchema>, "type">;

export function klCov(options: KlCovOptions = {}): Objective {
  const { type, std, stdEpsilon, fraction, penalty, kl, aggregation } = parseOptions(klCovSchema, {
    ...options,
    type: "kl-cov",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: ["stepOutputs", ...klNeeds(kl)],
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      ratioFormula,
      covarianceFormula,
      {
        symbol: "l_t",
        expression: `-A_i r_t, and + ${penalty} |log r_t| at the ${fraction} N tokens of largest c_t`,
        source: "Cui et al., arXiv 2505.22617, KL-Cov",
      },
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, standardizedRewards(rewards, std, stdEpsilon));
    },

    prepare(examples, current) {
      const tokens = tokenCovariances(examples, current);
      const count = numChosen(fraction, tokens.covariances.length);
      const penalties = examples.map(({ sequence }) => new Float32Array(sequence.lossMask.length));
      for (const n of indicesOfLargest(tokens.covariances, count)) {
        penalties[tokens.examples[n]!]![tokens.positions[n]!] = 1;
      }
      return examples.map((example, i) => ({ ...example, penalties: penalties[i]! }));
    },

    loss(example, outputs, batch) {
      const { sequence, advantages, weights, penalties, old } = example;
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
        const logRatio = logprobs[t]! - old.logprobs[t]!;
        const tied = penalties === undefined ? 0 : penalty * penalties[t]!;
        policyLoss += (weights[t]! * (-advantages[t]! * ratio.value + tied * Math.abs(logRatio))) / denominator;
        dLogprobs[t] = (weights[t]! * (-advantages[t]! * ratio.dLogprob + tied * Math.sign(logRatio))) / denominator;
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
