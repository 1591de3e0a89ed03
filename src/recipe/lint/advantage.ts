/** Traps of advantage estimators. */
import type { ObjectiveOptions, Rule } from "./rule.ts";

export const leaveOneOutStd: Rule = {
  name: "leave-one-out-std",
  source: "NeMo-RL's default with the DAPO recipes that switch it off",
  fix: "use std: sample",
  rl: ({ algorithm, rollout: { groupSize } }) => {
    const { std }: ObjectiveOptions = algorithm;
    if (std !== "leave-one-out") return null;
    const usual = (groupSize - 1) / Math.sqrt(groupSize);
    return {
      path: ["algorithm", "std"],
      message: `the siblings of the only right answer of a group are all wrong, so their deviation is 0 and its advantage is not scaled: 1, where std: sample gives ${usual.toFixed(2)}; hard prompts teach least`,
    };
  },
};

export const pairStd: Rule = {
  name: "pair-std",
  source: "arithmetic: half the difference of two over their standard deviation",
  fix: "use std: none, or a larger groupSize",
  rl: ({ algorithm, rollout: { groupSize } }) => {
    const { std }: ObjectiveOptions = algorithm;
    if (groupSize !== 2 || (std !== "sample" && std !== "population")) return null;
    const size = std === "sample" ? "0.71" : "1";
    return {
      path: ["rollout", "groupSize"],
      message: `of two rewards that differ, divided by their standard deviation, only the sign is left: every advantage is ${size} or -${size}, however small the difference`,
    };
  },
};

export const noBaseline: Rule = {
  name: "no-baseline",
  source: "Ahmadian et al., arXiv 2402.14740",
  fix: "use rloo, which takes the siblings' mean off",
  rl: ({ algorithm: { type }, rollout: { groupSize } }) =>
    type !== "reinforce" || groupSize < 2
      ? null
      : {
          path: ["algorithm", "type"],
          message: `reinforce weighs an answer by its bare reward and does not look at its ${groupSize - 1} sibling${groupSize === 2 ? "" : "s"}: where no reward is negative, no answer is ever made less likely`,
        },
};

export const whitenedSolvedGroups: Rule = {
  name: "whitened-solved-groups",
  source: "verl's reinforce_plus_plus_baseline on groups of equal rewards: +0.021, not 0",
  fix: "add rollout.dynamicSampling, which leaves such groups out",
  rl: ({ algorithm, rollout: { dynamicSampling } }) => {
    const { type, rewards }: ObjectiveOptions = algorithm;
    const isDecoupled = rewards === "decoupled-by-token";
    if ((type !== "reinforce++-baseline" && !isDecoupled) || dynamicSampling !== undefined) return null;
    return {
      path: ["algorithm", isDecoupled ? "rewards" : "type"],
      message:
        "advantages are whitened over the batch after the group's mean is taken off, which moves those of a group of equal rewards away from 0: groups that are solved, or hopeless, are trained",
    };
  },
};
