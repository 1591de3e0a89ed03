/**
 * Open-Reasoner-Zero: plain PPO that waits for the reward, and nothing ties to a reference.
 *
 *   A_t  = reward_i - V_t, whitened over the rollout batch                            terms/gae.ts with gamma = lambda = 1
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t
 *   Lv   = 1/N sum_i sum_t v_t                                                        terms/value.ts
 *
 * Hu et al., Open-Reasoner-Zero, arXiv 2503.24290; gamma = lambda = 1, clip 0.2, no KL, no entropy bonus, advantages whitened over
 * the rollout batch. The stage says the rest: one policy update and 12 critic updates per batch (critic.updatesPerBatch: 12).
 * Departures: the critic's head starts at zero and not uniform in +-sqrt(5); the value clip of 0.5 is OpenRLHF's.
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

export const orzSchema = z
  .strictObject({
    type: z.literal("orz"),
    gamma: gammaOption(),
    lambda: lambdaOption(
      1,
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
  .describe(
    "Open-Reasoner-Zero: PPO that waits for the reward, gamma = lambda = 1, and no KL at all. The stage needs `critic`.",
  );

export type OrzOptions = Omit<z.input<typeof orzSchema>, "type">;

export function orz(options: OrzOptions = {}): Objective {
  const { type, gamma, lambda, valueClip, whiten, pretrainingSteps, kl, aggregation, ...clip } = parseOptions(
    orzSchema,
    {
      ...options,
      type: "orz",
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
