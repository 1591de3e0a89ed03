/**
 * The gap between the server that sampled and the trainer that learns: the same weights give two log-probabilities, and with a batch
 * ahead the weights differ too.
 *
 *   rho_t = exp(old_t - sampling_t)         old: the trainer's, before the update;  sampling: the server's
 *   rho   = prod_t rho_t,  rho_g = exp(mean_t log rho_t)         of one answer: the product, and the geometric mean
 *
 *   tis               w_t = clip(rho_t, floor, cap)       Yao et al., Your Efficient RL Framework Secretly Brings You Off-Policy RL
 *                     Training (2025), cap 2. OpenRLHF holds both sides, .5 and 5; TRL's `token_truncate`
 *   token-mask        w_t = rho_t inside [low, high], else 0                      IcePop, .5 and 5; TRL's `token_mask`
 *   sequence-tis      w_t = clip(rho, floor, cap)         verl's `rollout_is: sequence`, 2; TRL's `sequence_truncate`
 *   sequence-mask     w_t = rho inside [floor, cap], else 0                       TRL's default `sequence_mask`, 3
 *   geometric-mask    w_t = 1 where rho_g is inside [low, high], else 0           SkyRL, .99 and 1.01; verl .999 and 1.001
 *   off-policy-mask   w_t = 0 where A < 0 and mean_t(sampling_t - old_t) > delta, else 1        TRL's `off_policy_mask_threshold`,
 *                     .5; slime 1e-4. Both compare with the policy that trains; ours is the one before the first update
 *
 * Of several, a token's weights are multiplied: one importance weight and any filters. A weight of 0 leaves every denominator as it is:
 * the kept tokens do not become louder.
 *
 * Prefer tis with cap 2. A product over a long answer is far from 1 for no better reason than length: it shrinks the whole gradient while
 * the masked share still looks healthy, which is what the effective sample size shows.
 */
import { z } from "zod";
import { RecipeError } from "../../errors.ts";
import { clamp } from "../../math/statistics.ts";
import type { Example, Floats, Metric } from "../../types.ts";
import type { Objective } from "../objective.ts";
import { importanceRatio } from "./ratio.ts";

const positive = () => z.number().positive();

const tis = z
  .strictObject({
    type: z.literal("tis"),
    cap: positive().default(2).describe("Largest weight of a token; no unit."),
    floor: z.number().min(0).default(0).describe("Smallest weight of a token; 0 = none."),
  })
  .describe("Each token times its ratio of trainer to server, held at the cap. The default choice.");

const tokenMask = z
  .strictObject({
    type: z.literal("token-mask"),
    low: z.number().min(0).default(0.5).describe("Tokens of a smaller ratio are dropped."),
    high: positive().default(5).describe("Tokens of a larger ratio are dropped."),
  })
  .describe("IcePop: each token times its ratio, and without those whose ratio is outside.");

const sequenceTis = z
  .strictObject({
    type: z.literal("sequence-tis"),
    cap: positive().default(2).describe("Largest weight of an answer; no unit."),
    floor: z.number().min(0).default(0).describe("Smallest weight of an answer; 0 = none."),
  })
  .describe("Each answer times the product of its tokens' ratios, held at the cap. Shrinks long answers.");

const sequenceMask = z
  .strictObject({
    type: z.literal("sequence-mask"),
    cap: positive().default(3).describe("Answers of a larger product are dropped."),
    floor: z.number().min(0).default(0).describe("Answers of a smaller product are dropped; 0 = none."),
  })
  .describe("Each answer times the product of its tokens' ratios, without those outside. Shrinks long answers.");

const geometricMask = z
  .strictObject({
    type: z.literal("geometric-mask"),
    low: z.number().min(0).default(0.99).describe("Answers of a smaller geometric mean are dropped."),
    high: positive().default(1.01).describe("Answers of a larger geometric mean are dropped."),
  })
  .describe("Drops answers by the geometric mean of their tokens' ratios, whatever their length.");

const offPolicyMask = z
  .strictObject({
    type: z.literal("off-policy-mask"),
    delta: z
      .number()
      .min(0)
      .default(0.5)
      .describe("Largest mean of the server's log-probabilities less the trainer's; nats per token."),
  })
  .describe("Drops answers of negative advantage that the trainer finds much less likely than the server did.");

const correction = z.discriminatedUnion("type", [
  tis,
  tokenMask,
  sequenceTis,
  sequenceMask,
  geometricMask,
  offPolicyMask,
]);
/** One weight or filter. */
export type Correction = z.output<typeof correction>;
/** As a recipe says it: one, or several whose weights are multiplied. */
export type Corrections = Correction | readonly Correction[];

const WEIGHTS: ReadonlySet<Correction["type"]> = new Set(["tis", "token-mask", "sequence-tis", "sequence-mask"]);

/** The recipe's `rollout.correction`. */
export const correctionOption = z
  .union([
    correction,
    z
      .array(correction)
      .min(1)
      .refine(
        (list) => list.filter(({ type }) => WEIGHTS.has(type)).length <= 1,
        "expected at most one of tis, token-mask, sequence-tis and sequence-mask: each is the importance weight, and two would count the gap twice",
      ),
  ])
  .describe("What corrects for the difference between server and trainer; a list multiplies. Usual: { type: tis }.");

/** Throws RecipeError where a weight would count a gap that the objective's own ratio counts; filters only drop, and may stay. */
export function checkCorrection(
  { name, anchorsToSampling }: Pick<Objective, "name" | "anchorsToSampling">,
  corrections: Corrections = [],
): void {
  const list = "type" in corrections ? [corrections] : corrections;
  const weight = list.find(({ type }) => WEIGHTS.has(type));
  if (anchorsToSampling !== true || weight === undefined) return;
  throw new RecipeError(
    `Expected no importance weight with ${name}, whose ratios are to the server's log-probabilities already, got ${weight.type}: the same gap would count twice. Leave ${weight.type} out; geometric-mask and off-policy-mask may stay.`,
  );
}

/** [L] Weight of each trained token, 1 elsewhere and without a correction or old log-probabilities. */
export function tokenWeights(
  { sequence: { lossMask, samplingLogprobs }, advantages }: Pick<Example, "sequence" | "advantages">,
  oldLogprobs: Floats | undefined,
  corrections: Corrections = [],
): Float32Array {
  const weights = new Float32Array(lossMask.length).fill(1);
  const list = "type" in corrections ? [corrections] : corrections;
  if (list.length === 0 || oldLogprobs === undefined) return weights;
  const { sum, mean } = logRatio(lossMask, samplingLogprobs, oldLogprobs);
  for (const one of list) {
    const ofAnswer = answerWeight(one, sum, mean);
    for (let t = 0; t < weights.length; t++) {
      if (lossMask[t] === 0) continue;
      if (one.type === "tis" || one.type === "token-mask")
        weights[t]! *= tokenWeight(one, importanceRatio(oldLogprobs[t]!, samplingLogprobs[t]!).value);
      else if (one.type !== "off-policy-mask" || advantages[t]! < 0) weights[t]! *= ofAnswer;
    }
  }
  return weights;
}

/** log rho of the answer and per token; 0 of an answer without tokens. */
function logRatio(lossMask: Uint8Array, samplingLogprobs: Floats, oldLogprobs: Floats): { sum: number; mean: number } {
  let sum = 0;
  let count = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    sum += oldLogprobs[t]! - samplingLogprobs[t]!;
    count++;
  }
  return { sum, mean: count === 0 ? 0 : sum / count };
}

function tokenWeight(one: z.output<typeof tis | typeof tokenMask>, ratio: number): number {
  if (one.type === "tis") return clamp(ratio, one.floor, one.cap);
  return ratio < one.low || ratio > one.high ? 0 : ratio;
}

/** The factor on every token that it concerns; 1 for what looks at tokens. */
function answerWeight(one: Correction, logSum: number, logMean: number): number {
  switch (one.type) {
    case "tis":
    case "token-mask":
      return 1;
    case "sequence-tis":
      return clamp(importanceRatio(logSum, 0).value, one.floor, one.cap);
    case "sequence-mask": {
      const product = importanceRatio(logSum, 0).value;
      return product < one.floor || product > one.cap ? 0 : product;
    }
    case "geometric-mask": {
      const geometric = importanceRatio(logMean, 0).value;
      return geometric < one.low || geometric > one.high ? 0 : 1;
    }
    case "off-policy-mask":
      return -logMean > one.delta ? 0 : 1;
    default:
      throw new Error(`unknown correction ${one satisfies never}`);
  }
}

/**
 * Over the trained tokens of one sequence. Under TRL's names: |old - sampling| in nats, and rho. Under verl's: kl, the k1 estimate
 * from server to trainer, and k3_kl, the one that is never negative; rollout_is_eff_sample_size, (sum w)^2 / (N sum w^2) of the
 * correction's weights, or of rho where nothing corrects; rollout_rs_masked_fraction, the share of tokens that a correction drops.
 */
export function samplingMetrics(
  example: Pick<Example, "sequence" | "advantages" | "old">,
  corrections?: Corrections,
): Record<string, Metric> {
  const { lossMask, samplingLogprobs } = example.sequence;
  const oldLogprobs = example.old.logprobs;
  const weights = corrections === undefined ? null : tokenWeights(example, oldLogprobs, corrections);
  let count = 0;
  let differenceSum = 0;
  let differenceMax = 0;
  let driftSum = 0;
  let ratioSum = 0;
  let ratioMin = Number.POSITIVE_INFINITY;
  let ratioMax = 0;
  let weightSum = 0;
  let weightSquares = 0;
  let numMasked = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    const drift = samplingLogprobs[t]! - oldLogprobs[t]!;
    const ratio = importanceRatio(oldLogprobs[t]!, samplingLogprobs[t]!).value;
    const weight = weights === null ? ratio : weights[t]!;
    count++;
    driftSum += drift;
    differenceSum += Math.abs(drift);
    differenceMax = Math.max(differenceMax, Math.abs(drift));
    ratioSum += ratio;
    ratioMin = Math.min(ratioMin, ratio);
    ratioMax = Math.max(ratioMax, ratio);
    weightSum += weight;
    weightSquares += weight * weight;
    if (weight === 0) numMasked++;
  }
  return {
    "sampling/sampling_logp_difference/mean": { sum: differenceSum, count },
    "sampling/sampling_logp_difference/max": { max: differenceMax },
    "sampling/importance_sampling_ratio/mean": { sum: ratioSum, count },
    "sampling/importance_sampling_ratio/min": { min: ratioMin },
    "sampling/importance_sampling_ratio/max": { max: ratioMax },
    "rollout_corr/kl": { sum: driftSum, count },
    // the mean of rho - log rho - 1
    "rollout_corr/k3_kl": { sum: ratioSum + driftSum - count, count },
    "rollout_corr/rollout_is_eff_sample_size": { sum: weightSum, sumOfSquares: weightSquares, count },
    ...(weights === null ? {} : { "rollout_corr/rollout_rs_masked_fraction": { sum: numMasked, count } }),
  };
}
