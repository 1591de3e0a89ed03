/**
 * VAPO: VC-PPO whose lambda grows with the answer, which lets unlikely tokens grow further and imitates its own right answers.
 *
 *   A_t  = generalised advantage with lambda(l) = max(0, 1 - 1 / (alpha l)), whitened  terms/gae.ts; l: tokens of the answer
 *   G_t  = V_t + generalised advantage with lambdaCritic                              1: the reward itself
 *   l_t  = max(-A r_t, -A clip(r_t, 1 - clipLow, 1 + clipHigh))                       r_t = exp(logp_t - old_t)
 *   L    = 1/N sum_i sum_t l_t - positiveNll 1/N+ sum_{i positive} sum_t logp_t       N+: tokens of the positive answers
 *   Lv   = 1/N sum_i sum_t v_t                                                        terms/value.ts
 *
 * Yue et al., VAPO, arXiv 2504.05118: seven changes to PPO. Value pretraining (50 steps), decoupled GAE (lambdaCritic 1), length-
 * adaptive GAE (alpha 0.05), clip 0.2 and 0.28, mean over tokens, likelihood of positive answers (0.1); the seventh, many answers per
 * prompt, is the rollout's (groupSize 16). Departures: N and N+ count the whole optimizer step, where NeMo-RL's count a micro-batch;
 * token weights apply to the imitated tokens too; the others are those of ppo.ts.
 */
import { z } from "zod";
import type { Formula, Objective } from "./objective.ts";
import { aggregationFormula, aggregationOption, countTrained, denominatorOf } from "./terms/aggregation.ts";
import {
  gaeFormula,
  gammaOption,
  generalizedAdvantages,
  lambdaOption,
  lengthAdaptiveLambda,
  whitenOption,
} from "./terms/gae.ts";
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

export const vapoSchema = z
  .strictObject({
    type: z.literal("vapo"),
    gamma: gammaOption(),
    lengthAdaptiveAlpha: z
      .number()
      .positive()
      .nullable()
      .default(0.05)
      .describe("The policy's lambda is 1 - 1 / (alpha l) for an answer of l tokens, at least 0. null = lambdaActor."),
    lambdaActor: lambdaOption(0.95, "Of the policy's advantages, where lengthAdaptiveAlpha is null."),
    lambdaCritic: lambdaOption(
      1,
      "Of the critic's returns: 1 = the reward itself, unbiased however long the answer is.",
    ),
    clipLow: clipLowOption(0.2),
    clipHigh: clipHighOption(0.28),
    dualClip: dualClipOption(),
    valueClip: valueClipOption(),
    whiten: whitenOption(),
    pretrainingSteps: pretrainingOption(50),
    positiveNll: z
      .number()
      .min(0)
      .default(0.1)
      .describe("Weight of the negative log-likelihood of positive answers; from 0 up. 0 = off."),
    positiveReward: z
      .number()
      .default(0)
      .describe("Answers whose reward is above it are positive; in units of reward."),
    kl: klOption({ coefficient: 0, estimator: "k1", placement: "reward" }),
    aggregation: aggregationOption("token-mean"),
  })
  .refine(dualClipLeavesRoom, dualClipProblem)
  .describe(
    "VAPO: VC-PPO with a lambda by length, clip-higher and imitation of right answers. The stage needs `critic`.",
  );

export type VapoOptions = Omit<z.input<typeof vapoSchema>, "type">;

export function vapo(options: VapoOptions = {}): Objective {
  const {
    type,
    gamma,
    lengthAdaptiveAlpha: alpha,
    lambdaActor,
    lambdaCritic,
    positiveNll,
    positiveReward,
    valueClip,
    whiten,
    pretrainingSteps,
    kl,
    aggregation,
    ...clip
  } = parseOptions(vapoSchema, {
    ...options,
    type: "vapo",
  });
  const beta = kl.placement === "loss" ? kl.coefficient : 0;
  return {
    name: type,
    needs: ["values", ...klNeeds(kl)],
    comparesSiblings: false,
    positiveReward,
    formula: [
      ...gaeFormula(gamma, alpha === null ? `${lambdaActor}` : `max(0, 1 - 1/(${alpha} l))`, kl, whiten),
      ratioFormula,
      clippedFormula(clip, "A_t"),
      ...klFormula(kl),
      positiveFormula(aggregationFormula(aggregation, tokenTerm(kl)), positiveNll, positiveReward),
      ...valueFormula(lambdaCritic, valueClip),
    ],
    critic: criticOf({ gamma, lambdaOf: () => lambdaCritic, kl, valueClip, pretrainingSteps }),

    advantages(groups, old, ref) {
      const lambdaOf = (numTokens: number) => (alpha === null ? lambdaActor : lengthAdaptiveLambda(alpha, numTokens));
      return finishedAdvantages(groups, generalizedAdvantages(groups, old, ref, { gamma, lambdaOf, kl }), whiten);
    },

    loss(example, outputs, batch) {
      const { sequence, advantages, weights, old } = example;
      const { lossMask } = sequence;
      const { logprobs } = outputs;
      const ref = beta > 0 ? referenceOf(type, example) : null;
      const numTokens = countTrained(lossMask);
      const denominator = denominatorOf(aggregation, example, numTokens, batch);
      const imitated = example.reward > positiveReward ? positiveNll / batch.numPositiveTokens : 0;
      const dLogprobs = new Float32Array(lossMask.length);
      let policyLoss = 0;
      let klLoss = 0;
      let nll = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        const ratio = importanceRatio(logprobs[t]!, old.logprobs[t]!);
        const policy = clippedSurrogate(ratio, advantages[t]!, clip);
        policyLoss += (weights[t]! * policy.value) / denominator;
        nll -= weights[t]! * imitated * logprobs[t]!;
        let dLogprob = weights[t]! * (policy.dLogprob / denominator - imitated);
        if (ref !== null) {
          const divergence = klTerm(kl, logprobs[t]!, ref[t]!, old.logprobs[t]!);
          klLoss += (beta * divergence.value) / denominator;
          dLogprob += (beta * divergence.dLogprob) / denominator;
        }
        // Stored once: the terms may cancel, and float32 would keep their rounding.
        dLogprobs[t] = dLogprob;
      }
      return {
        loss: policyLoss + nll + klLoss,
        gradient: { dLogprobs },
        metrics: {
          policy_loss: stepTotal(policyLoss, numTokens, batch),
          positive_nll: stepTotal(nll, numTokens, batch),
          ...policyMetrics(example, outputs, clip),
          ...referenceMetrics(example, outputs, kl.estimator),
        },
      };
    },
  };
}

/** The formula of the sum with imitation added. */
function positiveFormula({ symbol, expression, source }: Formula, weight: number, above: number): Formula {
  if (weight === 0) return { symbol, expression, source };
  const added = `${weight}/N+ sum_{i: reward_i > ${above}} sum_t w_t (-logp_t)`;
  return { symbol, expression: `${expression} + ${added}`, source: `${source}; VAPO, arXiv 2504.05118` };
}
