/**
 * VC-PPO: PPO for long answers, in which the critic is pretrained and waits for the reward while the policy need not.
 *
 *   A_t  = generalised advantage with lambdaActor, whitened over the rollout batch    terms/gae.ts
 *   G_t  = V_t + generalised advantage with lambdaCritic                              1: the reward itself
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *   Lv   = 1/N sum_i sum_t v_t                                                        terms/value.ts
 *
 * Yuan et al., What's Behind PPO's Collapse in Long-CoT?, arXiv 2503.01491: value pretraining and decoupled GAE; lambdaActor 0.95,
 * lambdaCritic 1. The paper pretrains until value loss and explained variance settle, which a recipe cannot know: 50 steps are
 * those of VAPO by the same group; watch critic/vf_explained_var. Departures: those of ppo.ts from the first PPO.
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

export const vcPpoSchema = z
  .strictObject({
    type: z.literal("vc-ppo"),
    gamma: gammaOption(),
    lambdaActor: lambdaOption(0.95, "Of the policy's advantages: below 1 the critic's values damp their variance."),
    lambdaCritic: lambdaOption(
      1,
      "Of the critic's returns: 1 = the reward itself, unbiased however long the answer is.",
    ),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.2),
    dualClip: dualClipOption(),
    valueClip: valueClipOption(),
    whiten: whitenOption(),
    pretrainingSteps: pretrainingOption(50),
    kl: klOption({ coefficient: 0, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "VC-PPO: PPO with a pretrained critic, and a lambda of its own for policy and critic. The stage needs `critic`.",
  );

export type VcPpoOptions = Omit<z.input<typeof vcPpoSchema>, "type">;

export function vcPpo(options: VcPpoOptions = {}): Objective {
  const { type, gamma, lambdaActor, lambdaCritic, valueClip, whiten, pretrainingSteps, kl, aggregation, ...clip } =
    parseOptions(vcPpoSchema, {
      ...options,
      type: "vc-ppo",
    });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: ["values", ...klNeeds(kl)],
    comparesSiblings: false,
    formula: [
      ...gaeFormula(gamma, `${lambdaActor}`, kl, whiten),
      ratioFormula,
      clippedFormula(clip, "A_t"),
      ...klFormula(kl),
      aggregationFormula(aggregation, tokenTerm(kl)),
      ...valueFormula(lambdaCritic, valueClip),
    ],
    critic: criticOf({ gamma, lambdaOf: () => lambdaCritic, kl, valueClip, pretrainingSteps }),

    advantages(groups, old, ref) {
      const lambdaOf = () => lambdaActor;
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
