/**
 * Estimators of the Kullback-Leibler divergence from the policy to the reference, one token at a time, and where they act.
 *
 *   with d = logp - ref:   k1 = d     abs = |d|     k2 = d^2 / 2     k3 = exp(-d) + d - 1        Schulman, "Approximating KL
 *   divergence" (2020). k3 is that of DeepSeekMath, arXiv 2402.03300, eq. 4.
 *
 * k3 clamps d to +-20 and its value to 10, as verl and NeMo-RL do.
 *
 * In the loss, what is differentiated is a choice, because the tokens too come from the policy: d E[k] = E[dk + k dlogp].
 *
 *   direct           dk alone. On-policy only k2's is the divergence's; k1's has mean zero; k3's, 1 - exp(-d), is biased: it grows
 *                    without bound where the policy is rarer than the reference, and flattens where it is more frequent
 *   score-function   exp(logp - sg(logp)) k: the same value, and k dlogp beside dk. Of k1 and k3 this is d dlogp + noise of mean
 *                    zero, the divergence's. NeMo-RL
 *   importance       r k with r = exp(logp - old): the same when r is 1, and right for tokens of the old policy too. "Unbiased KL"
 *                    of DeepSeek-V3.2 and TRL's `use_bias_correction_kl`
 *
 * A `+` behind a name keeps its value and takes k2's direct gradient, as in verl.
 *
 * With `adaptive` the coefficient itself follows the divergence: control.ts. In the reward, coefficient * sum_t kl_t of the old policy is taken off the completion's reward before the baseline.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Example, Floats, ScoredGroup, TokenOutputs } from "../../types.ts";
import type { Formula, OptionalInput } from "../objective.ts";
import { importanceRatio } from "./ratio.ts";
import type { Term } from "./term.ts";

const MAX_LOG_DIFFERENCE = 20;
const MAX_K3 = 10;

export const klEstimators = ["k1", "k2", "k3", "abs", "k1+", "k3+"] as const;
export type KlEstimator = (typeof klEstimators)[number];

export const klGradients = ["direct", "score-function", "importance"] as const;
export type KlGradient = (typeof klGradients)[number];

export interface Kl {
  readonly coefficient: number;
  readonly estimator: KlEstimator;
  readonly placement: "loss" | "reward";
  readonly gradient: KlGradient;
  readonly adaptive?: AdaptiveKl | undefined;
}

const adaptiveKl = z
  .strictObject({
    target: z.number().positive().describe("Divergence per token to hold; nats, as the metric kl shows it. Verl: 0.1."),
    horizon: z.number().positive().default(10_000).describe("Completions over which the coefficient may move by 20 %."),
  })
  .describe("Multiplies the coefficient after every rollout batch, up where the divergence is above the target.");
export type AdaptiveKl = z.output<typeof adaptiveKl>;

export function klOption(defaults: Omit<Kl, "gradient" | "adaptive">) {
  return z
    .strictObject({
      coefficient: z
        .number()
        .min(0)
        .default(defaults.coefficient)
        .describe(
          "Beta: weight of the divergence from the reference; per nat, from 0 up. 0 = no reference model at all.",
        ),
      estimator: z
        .enum(klEstimators)
        .default(defaults.estimator)
        .describe(
          "Per-token estimator. k3 is never negative; k2 has the right gradient in the loss; + takes k2's gradient.",
        ),
      placement: z
        .enum(["loss", "reward"])
        .default(defaults.placement)
        .describe("loss: added to every token's loss. reward: summed over the completion and taken off its reward."),
      gradient: z
        .enum(klGradients)
        .default("direct")
        .describe(
          "In the loss. direct: the estimate's own derivative (DeepSeekMath, TRL, verl). score-function: and that of drawing the token (NeMo-RL). importance: the estimate times the ratio (DeepSeek-V3.2; TRL's use_bias_correction_kl).",
        ),
      adaptive: adaptiveKl.optional(),
    })
    .refine(gradientFits, gradientProblem)
    .refine(({ coefficient, adaptive }) => adaptive === undefined || coefficient > 0, {
      path: ["coefficient"],
      message: "expected a coefficient above 0, which adaptive multiplies",
    })
    .prefault({})
    .describe("Divergence from the frozen (or refreshed) reference policy.");
}

/** The gradient of a `+` is chosen by its name. */
function gradientFits({ estimator, placement, gradient }: Kl): boolean {
  return gradient === "direct" || (placement === "loss" && !estimator.endsWith("+"));
}

const gradientProblem = {
  path: ["gradient"],
  message: "expected direct, or placement: loss with an estimator without +: the others have no such gradient",
};

/** What a KL setting asks of the loop. */
export function klNeeds({ coefficient, placement }: Kl): OptionalInput[] {
  if (coefficient === 0) return [];
  return placement === "reward" ? ["refLogprobs", "oldLogprobs"] : ["refLogprobs"];
}

const ESTIMATES: Readonly<Record<KlEstimator, string>> = {
  k1: "logp_t - ref_t",
  k2: "(logp_t - ref_t)^2 / 2",
  k3: "exp(ref_t - logp_t) - (ref_t - logp_t) - 1",
  abs: "|logp_t - ref_t|",
  "k1+": "logp_t - ref_t, with the gradient of k2",
  "k3+": "exp(ref_t - logp_t) - (ref_t - logp_t) - 1, with the gradient of k2",
};

/** The reward that advantages are made of, and the divergence in it. */
export function rewardFormula({ coefficient, estimator, placement }: Kl): Formula[] {
  const isIn = coefficient > 0 && placement === "reward";
  const expression = isIn ? `reward_i - ${coefficient} sum_t k_t` : "reward_i";
  const line = { symbol: "R_i", expression, source: "the recipe's rewards, weighted" };
  if (!isIn) return [line];
  const ofOld = ESTIMATES[estimator].replaceAll("logp_t", "old_t");
  return [{ symbol: "k_t", expression: ofOld, source: "Schulman, Approximating KL divergence (2020)" }, line];
}

/** The divergence in the loss; nothing without one. */
export function klFormula({ coefficient, estimator, placement, gradient }: Kl): Formula[] {
  if (coefficient === 0 || placement === "reward") return [];
  const estimate = ESTIMATES[estimator];
  switch (gradient) {
    case "direct":
      return [{ symbol: "k_t", expression: estimate, source: "Schulman, Approximating KL divergence (2020)" }];
    case "score-function":
      return [{ symbol: "k_t", expression: `exp(logp_t - sg(logp_t)) (${estimate})`, source: "NeMo-RL" }];
    case "importance":
      return [{ symbol: "k_t", expression: `exp(logp_t - old_t) (${estimate})`, source: "DeepSeek-V3.2; TRL" }];
    default:
      throw new Error(`unknown KL gradient ${gradient satisfies never}`);
  }
}

/** What each token adds to the loss: its weighted policy term, and the divergence. */
export function tokenTerm({ coefficient, placement }: Kl): string {
  return coefficient > 0 && placement === "loss" ? `(w_t l_t + ${coefficient} k_t)` : "w_t l_t";
}

/** One token's divergence in the loss, and what pulls on the policy's log-probability. `oldLogprob` counts for importance alone. */
export function klTerm({ estimator, gradient }: Kl, logprob: number, refLogprob: number, oldLogprob: number): Term {
  const estimate = klEstimate(estimator, logprob, refLogprob);
  switch (gradient) {
    case "direct":
      return estimate;
    case "score-function":
      return { value: estimate.value, dLogprob: estimate.dLogprob + estimate.value };
    case "importance": {
      const ratio = importanceRatio(logprob, oldLogprob);
      return {
        value: ratio.value * estimate.value,
        dLogprob: ratio.value * estimate.dLogprob + ratio.dLogprob * estimate.value,
      };
    }
    default:
      throw new Error(`unknown KL gradient ${gradient satisfies never}`);
  }
}

/** One token's estimate and its derivative by the policy's log-probability. */
export function klEstimate(estimator: KlEstimator, logprob: number, refLogprob: number): Term {
  const difference = logprob - refLogprob;
  switch (estimator) {
    case "k1":
      return { value: difference, dLogprob: 1 };
    case "k1+":
      return { value: difference, dLogprob: difference };
    case "abs":
      return { value: Math.abs(difference), dLogprob: Math.sign(difference) };
    case "k2":
      return { value: difference ** 2 / 2, dLogprob: difference };
    case "k3":
      return k3(difference);
    case "k3+":
      return { value: k3(difference).value, dLogprob: difference };
    default:
      throw new Error(`unknown KL estimator ${estimator satisfies never}`);
  }
}

function k3(difference: number): Term {
  const clamped = clamp(difference, -MAX_LOG_DIFFERENCE, MAX_LOG_DIFFERENCE);
  const value = Math.exp(-clamped) + clamped - 1;
  const isHeld = value > MAX_K3 || clamped !== difference;
  return { value: Math.min(value, MAX_K3), dLogprob: isHeld ? 0 : 1 - Math.exp(-clamped) };
}

/** [L] The reference's log-probabilities of an example that the objective said it needs. */
export function referenceOf(objective: string, example: Example): Floats {
  if (example.ref === undefined)
    throw new Error(`${objective} needs reference log-probabilities, and the example has none`);
  return example.ref.logprobs;
}

/** [groups][G] Reward totals, less the divergence where it acts in the reward; null where the rollout is excluded. */
export function rewardsWithKl(
  groups: readonly ScoredGroup[],
  old: readonly (readonly TokenOutputs[])[],
  ref: readonly (readonly TokenOutputs[])[] | undefined,
  { coefficient, estimator, placement }: Kl,
): (number | null)[][] {
  return groups.map(({ rewards, rollouts }, g) =>
    rewards.map(({ total }, i) => {
      if (total === null || coefficient === 0 || placement === "loss") return total;
      const { lossMask } = rollouts[i]!.sequence;
      const oldLogprobs = old[g]?.[i]?.logprobs;
      const refLogprobs = ref?.[g]?.[i]?.logprobs;
      if (oldLogprobs === undefined || refLogprobs === undefined) {
        throw new Error(`KL in the reward needs old and reference log-probabilities of rollout ${i} of group ${g}`);
      }
      let divergence = 0;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 1) divergence += klEstimate(estimator, oldLogprobs[t]!, refLogprobs[t]!).value;
      }
      return total - coefficient * divergence;
    }),
  );
}
