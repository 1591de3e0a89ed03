/**
 * What a group would lose without its best answer: credit for pass@k, where only the best of the answers counts.
 *
 *   A_best = (R_best - second largest R) / (std(R) + epsilon), and 0 for the others      Tang et al., arXiv 2503.19595; verl
 *
 * Two best answers are worth nothing each: without one there is still the other.
 */
import { allEqual, populationStd, sampleStd } from "../../math/statistics.ts";
import type { Formula } from "../objective.ts";
import { countedOf, type GroupRewards, type StdKind } from "./baseline.ts";

/** [groups][G] 0 where fewer than two rollouts count. */
export function leadsOfBest(rewards: GroupRewards, std: StdKind, epsilon: number): number[][] {
  const batchStd = std === "batch" ? sampleStd(rewards.flatMap(countedOf)) : Number.NaN;
  return rewards.map((group) => {
    const [best, second, ...others] = countedOf(group).toSorted((a, b) => b - a);
    if (best === undefined || second === undefined || best === second) return group.map(() => 0);
    const lead = (best - second) / scaleOf([best, second, ...others], std, epsilon, batchStd);
    const winner = group.indexOf(best);
    return group.map((_, i) => (i === winner ? lead : 0));
  });
}

/** What the lead is divided by; `counted` from the best on. */
function scaleOf(counted: readonly number[], std: StdKind, epsilon: number, batchStd: number): number {
  switch (std) {
    case "none":
      return 1;
    case "sample":
      return sampleStd(counted) + epsilon;
    case "population":
      return populationStd(counted) + epsilon;
    case "batch":
      return batchStd + epsilon;
    case "leave-one-out": {
      const siblings = counted.slice(1);
      return allEqual(siblings) ? 1 : sampleStd(siblings) + epsilon;
    }
    default:
      throw new Error(`unknown standard deviation ${std satisfies never}`);
  }
}

const SCALES: Readonly<Record<Exclude<StdKind, "none">, string>> = {
  sample: "std(R)",
  population: "std_population(R)",
  batch: "std of all rewards",
  "leave-one-out": "std(siblings)",
};

/** The formula of `leadsOfBest`. */
export function passkFormula(std: StdKind, epsilon: number): Formula {
  const lead = "R_i - second largest R";
  return {
    symbol: "A_i",
    expression: `${std === "none" ? lead : `(${lead}) / (${SCALES[std]} + ${epsilon})`} for the best answer, else 0`,
    source: "Tang et al., arXiv 2503.19595; verl's grpo_passk",
  };
}
