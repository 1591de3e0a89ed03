/** Traps that only rollouts show: of a run given to `grouper check --run`, or of a run's own earlier steps. */
import { type ObjectiveOptions, percent, type Rule } from "./rule.ts";

export const capBelowMedian: Rule = {
  name: "cap-below-median",
  source: "jsboige/CoursIA#13596: a limit of 80 tokens, a median of 626",
  fix: "raise maxTokens, or make answers shorter before training",
  rl: ({ rollout: { sampling } }, { measured }) => {
    if (measured === undefined || measured.medianTokens < sampling.maxTokens) return null;
    const median = measured.truncatedShare >= 0.5 ? `at least ${measured.medianTokens}` : `${measured.medianTokens}`;
    return {
      path: ["rollout", "sampling", "maxTokens"],
      message: `half of the ${measured.numCompletions} completions in ${measured.run} have ${median} tokens or more, but this limit is ${sampling.maxTokens}: most answers are cut off before they end`,
    };
  },
};

export const maskedMajority: Rule = {
  name: "masked-majority",
  source: "huggingface/trl#7039: a clipped ratio of 0.97, and almost nothing trained",
  fix: "raise maxTokens, or set maskTruncated: false",
  rl: ({ rollout: { maskTruncated } }, { measured }) => {
    if (measured === undefined || !maskTruncated || measured.truncatedShare <= 0.5) return null;
    return {
      path: ["rollout", "maskTruncated"],
      message: `${percent(measured.truncatedShare)} of the completions in ${measured.run} hit the limit, and those are not trained`,
    };
  },
};

const SCALES: ReadonlySet<string> = new Set(["sample", "population", "leave-one-out"]);

export const stdOfDetails: Rule = {
  name: "std-of-details",
  source: "Liu et al., arXiv 2503.20783, section 3: the difficulty bias of the standard deviation",
  fix: "use std: none or batch, or set dynamicSampling.metric to the reward that matters",
  rl: ({ algorithm, rewards, rollout: { dynamicSampling }, eval: evaluation }, { measured }) => {
    const { std }: ObjectiveOptions = algorithm;
    if (measured === undefined || std === undefined || !SCALES.has(std) || dynamicSampling?.metric !== undefined)
      return null;
    if (rewards.functions.length < 2) return null;
    const main = evaluation?.metric ?? "accuracy";
    const numEqual = measured.numEqualBy[main];
    if (numEqual === undefined || numEqual * 2 <= measured.numMixedGroups) return null;
    return {
      path: ["algorithm"],
      message: `in ${numEqual} of the ${measured.numMixedGroups} groups in ${measured.run} whose rewards differ, ${main} is the same throughout; divided by the group's deviation, the other rewards weigh as much there as ${main} does elsewhere`,
    };
  },
};
