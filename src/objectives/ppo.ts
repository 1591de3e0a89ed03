/**
 * PPO: a critic says of every token what reward it expected, and the policy learns from the difference.
 *
 *   A_t  = generalised advantage of token t, whitened over the rollout batch          terms/gae.ts
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *   Lv   = 1/N sum_i sum_t v_t                                                        terms/value.ts
 *
 * Schulman et al., PPO, arXiv 1707.06347, eq. 7, 11 and 12; clip 0.2, lambda 0.95. Departures, those of every trainer of language
 * models: gamma is 1 and not 0.99, the value loss is clipped, advantages are whitened over the rollout batch, the critic is a model
 * of its own unless the stage says otherwise, and there is no entropy bonus. With kl, beta k1 is paid on every token it arises on.
 */
import { z } from "zod";
import type { Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import { gaeFormula, gammaOption, generalizedAdvantages, lambdaOption, whitenOption } from "./terms/gae.ts";
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
import { policyMetrics, referenceMetrics, stepTotal } from "./terms/token-metrics.ts";
import { criticOf, pretrainingOption, valueClipOption, valueFormula } from "./terms/value.ts";
import { finishedAdvantages } from "./terms/whitening.ts";

export const ppoSchema = z
  .strictObject({
    type: z.literal("ppo"),
    gamma: gammaOption(),
    lambda: lambdaOption(
      0.95,
      "From 0 (a token's advantage trusts the next value) to 1 (it waits for the reward). For policy and critic.",
    ),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    valueClip: valueClipOption(),
    whiten: whitenOption(),
    pretrainingSteps: pretrainingOption(0),
    kl: klOption({ coefficient: 0, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe("PPO: a critic's generalised advantages, clipped ratios, mean over all tokens. The stage needs `critic`.");

export type PpoOptions = Omit<z.input<typeof ppoSchema>, "type">;

export function ppo(options: PpoOptions = {}): Objective {
  const { type, gamma, lambda, valueClip, whiten, pretrainingSteps, kl, aggregation, ...clip } = parseOptions(
    ppoSchema,
    {
      ...options,
      type: "ppo",
    },
  );
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  const lambdaOf = () => lambda;
  return {
    name: type,
    needs: ["values", ...klNeeds(kl)],
    comparesSiblings: false,
    formula: [
      ...gaeFormula(gamma, `${lambda}`, kl, whiten),
      ratioFormula,
      clippedFormula(clip, "A_t"),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
      ...valueFormula(lambda, valueClip),
    ],
    critic: criticOf({ gamma, lambdaOf, kl, valueClip, pretrainingSteps }),

    advantages(groups, old, ref) {
      return finishedAdvantages(groups, generalizedAdvantages(groups, old, ref, { gamma, lambdaOf, kl }), whiten);
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
