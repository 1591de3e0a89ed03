/**
 * Rewards relative to the mean of their group.
 *
 *   A_i = (R_i - mean(R)) / (mean(R) + epsilon)      MaxRL, as in SkyRL and prime-rl
 *
 * A mean reward measures how easy a prompt is only where no reward is below 0; under others the division could turn the sign.
 */
import { z } from "zod";
import { RecipeError } from "../../errors.ts";
import { mean } from "../../math/statistics.ts";
import type { Formula } from "../objective.ts";
import { centeredRewards, countedOf, type GroupRewards } from "./baseline.ts";
import type { Kl } from "./kl.ts";

export function meanEpsilonOption(value: number) {
  return z
    .number()
    .positive()
    .default(value)
    .describe("Added to the group's mean reward before dividing by it, in units of reward; above 0.");
}

/** A divergence in the reward would push means below 0. */
export function isInLoss({ coefficient, placement }: Pick<Kl, "coefficient" | "placement">): boolean {
  return coefficient === 0 || placement === "loss";
}

export const inLossProblem = {
  path: ["placement"],
  message: "expected placement: loss, since rewards must stay from 0 up to be divided by their mean",
};

/** [groups][G] Throws RecipeError at a reward below 0. */
export function relativeRewards(objective: string, rewards: GroupRewards, epsilon: number): number[][] {
  const centered = centeredRewards(rewards);
  return rewards.map((group, g) => {
    const counted = countedOf(group);
    const negative = counted.find((reward) => reward < 0);
    if (negative !== undefined) {
      throw new RecipeError(
        `Expected rewards from 0 up for ${objective}, got ${negative}: it divides by the group's mean reward. Shift the rewards, or use drgrpo.`,
      );
    }
    return centered[g]!.map((advantage) => (advantage === 0 ? 0 : advantage / (mean(counted) + epsilon)));
  });
}

/** The formula of `relativeRewards`. */
export function relativeFormula(epsilon: number): Formula {
  return { symbol: "A_i", expression: `(R_i - mean(R)) / (mean(R) + ${epsilon})`, source: "MaxRL; SkyRL, prime-rl" };
}
