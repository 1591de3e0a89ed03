/**
 * Clip-Cov: some of the tokens that would lower the entropy most, likely ones of good answers and unlikely ones of bad answers, do not
 * pull.
 *
 *   A_i  = (R_i - mean(R)) / (std(R) + stdEpsilon)                                    the same on every token of answer i
 *   c_t  = (A - mean(A)) (logp_t - mean(logp))                                        over the tokens of the optimizer step
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   l_t  = 0 for a random `fraction` of all tokens, out of those with covarianceLow < c_t < covarianceHigh that no clip holds
 *   L    = 1/N sum_i sum_t l_t
 *
 * Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv 2505.22617. Numbers are those of the
 * authors' code in verl: 2e-4, 1 and 5; its clip is 0.2 on both sides, its advantages GRPO's, no KL. Departures: c_t and the drawing
 * are of the whole optimizer step (terms/covariance.ts); a dropped token still counts in N.
 */
import { z } from "zod";
import type { Example, TokenOutputs } from "../types.ts";
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
import { covarianceFormula, fractionOption, numChosen, tokenCovariances } from "./terms/covariance.ts";
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
  type Clip,
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

export const clipCovSchema = z
  .strictObject({
    type: z.literal("clip-cov"),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    std: stdOption("sample"),
    stdEpsilon: stdEpsilonOption(1e-6),
    fraction: fractionOption(2e-4, "do not pull"),
    covarianceLow: z.number().default(1).describe("Tokens are chosen above this covariance; reward units times nats."),
    covarianceHigh: z.number().default(5).describe("And below this one."),
    kl: klOption({ coefficient: 0, estimator: "k3", placement: "loss" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "Clip-Cov: as GRPO with a mean over tokens, but a few of the tokens that would lower the entropy most are left out of each step.",
  );

export type ClipCovOptions = Omit<z.input<typeof clipCovSchema>, "type">;

export function clipCov(options: ClipCovOptions = {}): Objective {
  const { type, std, stdEpsilon, fraction, covarianceLow, covarianceHigh, kl, aggregation, ...clip } = parseOptions(
    clipCovSchema,
    { ...options, type: "clip-cov" },
  );
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: ["stepOutputs", ...klNeeds(kl)],
    comparesSiblings: true,
    formula: [
      ...rewardFormula(kl),
      standardizedFormula(std, stdEpsilon),
      ratioFormula,
      clippedFormula(clip),
      covarianceFormula,
      {
        symbol: "w_t",
        expression: `0 at ${fraction} N random tokens with ${covarianceLow} < c_t < ${covarianceHigh} that no clip holds`,
        source: "Cui et al., arXiv 2505.22617, Clip-Cov",
      },
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
    ],

    advantages(groups, old, ref) {
      requireSiblings(type, groups);
      const rewards = rewardsWithKl(groups, old, ref, kl);
      return onTrainedTokens(groups, standardizedRewards(rewards, std, stdEpsilon));
    },

    prepare(examples, current, random) {
      const tokens = tokenCovariances(examples, current);
      const candidates: number[] = [];
      tokens.covariances.forEach((covariance, n) => {
        if (covariance <= covarianceLow || covariance >= covarianceHigh) return;
        const s = tokens.examples[n]!;
        if (!isHeld(examples[s]!, current[s]!, tokens.positions[n]!, clip)) candidates.push(n);
      });
      const count = Math.min(numChosen(fraction, tokens.covariances.length), candidates.length);
      const weights = examples.map((example) => Float32Array.from(example.weights));
      for (let i = 0; i < count; i++) {
        const pick = i + Math.floor(random() * (candidates.length - i));
        const n = candidates[pick]!;
        candidates[pick] = candidates[i]!;
        weights[tokens.examples[n]!]![tokens.positions[n]!] = 0;
      }
      return examples.map((example, i) => ({ ...example, weights: weights[i]! }));
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

/** True where the clip takes the token's gradient away already. */
function isHeld({ advantages, old }: Example, { logprobs }: TokenOutputs, t: number, clip: Clip): boolean {
  const ratio = importanceRatio(logprobs[t]!, old.logprobs[t]!);
  return clippedSurrogate(ratio, advantages[t]!, clip).value !== -advantages[t]! * ratio.value;
}
