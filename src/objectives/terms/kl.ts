/**
 * Estimators of the Kullback-Leibler divergence from the policy to the reference, one token at a time, and where they act.
 *
 *   with d = logp - ref:   k1 = d     abs = |d|     k2 = d^2 / 2     k3 = exp(-d) + d - 1        Schulman, "Approximating KL
 *   divergence" (2020). k3 is that of DeepSeekMath, arXiv 2402.03300, eq. 4.
 *
 * In the loss only k2's gradient is that of the divergence (on-policy): k1's has mean zero, k3's is biased. A `+` behind a name
 * keeps its value and takes k2's gradient, as in verl. k3 clamps d to +-20 and its value to 10, as verl and NeMo-RL do.
 *
 * In the reward, coefficient * sum_t kl_t of the old policy is taken off the completion's reward before the baseline.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Example, Floats, ScoredGroup, TokenOutputs } from "../../types.ts";
import type { Formula, OptionalInput } from "../objective.ts";
import type { Term } from "./term.ts";

const MAX_LOG_DIFFERENCE = 20;
const MAX_K3 = 10;

export const klEstimators = ["k1", "k2", "k3", "abs", "k1+", "k3+"] as const;
export type KlEstimator = (typeof klEstimators)[number];

export interface Kl {
  readonly coefficient: number;
  readonly estimator: KlEstimator;
  readonly placement: "loss" | "reward";
}

export function klOption(defaults: Kl) {
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
    })
    .prefault({})
    .describe("Divergence from the frozen (or refreshed) reference policy.");
}

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
export function klFormula({ coefficient, estimator, placement }: Kl): Formula[] {
  if (coefficient === 0 || placement === "reward") return [];
  const source = "Schulman, Approximating KL divergence (2020)";
  return [{ symbol: "k_t", expression: ESTIMATES[estimator], source }];
}

/** What each token adds to the loss: its weighted policy term, and the divergence. */
export function tokenTerm({ coefficient, placement }: Kl): string {
  return coefficient > 0 && placement === "loss" ? `(w_t l_t + ${coefficient} k_t)` : "w_t l_t";
}

/** One token's estimate and its derivative by the policy's log-probability. */
export function klTerm(estimator: KlEstimator, logprob: number, refLogprob: number): Term {
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
        if (lossMask[t] === 1) divergence += klTerm(estimator, oldLogprobs[t]!, refLogprobs[t]!).value;
      }
      return total - coefficient * divergence;
    }),
  );
}
