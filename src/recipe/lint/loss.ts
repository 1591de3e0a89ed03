/** Traps of losses: clip ranges, divergences and what token losses are divided by. */
import { createObjective } from "../../objectives/create.ts";
import { countUpdates, type ObjectiveOptions, type Rule } from "./rule.ts";

/** Objectives whose loss has no ratio, so nothing bounds how far a second update goes. */
const UNCLIPPED: ReadonlySet<string> = new Set(["reinforce", "rloo", "remax", "opo", "gpg"]);

/** Objectives whose ratio is that of the whole answer: a token mean inside it, so lengths do not bias it. */
const OF_SEQUENCES: ReadonlySet<string> = new Set(["gspo", "luspo", "gmpo", "sapo"]);

/** Clip ranges of the geometric mean's ratio: published 3e-4 to 2.5e-3. */
const SEQUENCE_CLIP: ReadonlySet<string> = new Set(["gspo", "luspo"]);

/** Objectives whose clipLow and clipHigh are PPO's: offsets from a token's ratio of 1. */
const TOKEN_CLIP: ReadonlySet<string> = new Set([
  "grpo",
  "bnpo",
  "drgrpo",
  "dapo",
  "clip-cov",
  "maxrl",
  "grpo-passk",
  "reinforce++",
  "reinforce++-baseline",
  "ppo",
  "vapo",
]);

export const unclippedUpdates: Rule = {
  name: "unclipped-updates",
  source: "Schulman et al., PPO, arXiv 1707.06347, section 2.1",
  fix: "use one update and one epoch per batch, or a clipped objective",
  rl: ({ algorithm: { type }, updatesPerBatch, epochsPerBatch }) =>
    !UNCLIPPED.has(type) || updatesPerBatch * epochsPerBatch === 1
      ? null
      : {
          path: [updatesPerBatch > 1 ? "updatesPerBatch" : "epochsPerBatch"],
          message: `${type} has no clip: with ${updatesPerBatch * epochsPerBatch} updates per batch nothing bounds how far the policy drifts from the one that sampled`,
        },
};

export const klK1InLoss: Rule = {
  name: "kl-k1-in-loss",
  source: "Schulman, Approximating KL divergence (2020)",
  fix: "use estimator k2, k3 or k1+, or placement: reward",
  rl: ({ algorithm }) => {
    const { kl }: ObjectiveOptions = algorithm;
    if (kl === undefined || kl.coefficient === 0 || kl.placement !== "loss" || kl.estimator !== "k1") return null;
    return {
      path: ["algorithm", "kl", "estimator"],
      message: "the gradient of k1 in the loss has mean zero: it adds noise and holds the policy nowhere",
    };
  },
};

const TIGHT_DUAL_CLIP = 2;

export const tightDualClip: Rule = {
  name: "tight-dual-clip",
  source: "Ye et al., arXiv 1912.09729: 3; INTELLECT-2: 4; DAPO's script: 10; ROLL derives 1.4 from a clip of 0.2",
  fix: "use 3, 4 or 10, or null for none",
  rl: ({ algorithm }) => {
    const { dualClip }: ObjectiveOptions = algorithm;
    if (dualClip == null || dualClip >= TIGHT_DUAL_CLIP) return null;
    return {
      path: ["algorithm", "dualClip"],
      message: `dualClip is the ratio itself, not an offset from 1: from ${dualClip} on, tokens of bad answers that became likelier are no longer pushed down`,
    };
  },
};

export const clipRange: Rule = {
  name: "clip-range",
  source: "GSPO: 3e-4 and 4e-4; LUSPO: 2e-3 and 2.5e-3; PPO: 0.2",
  fix: "leave clipLow and clipHigh out for the published ones",
  rl: ({ algorithm }) => {
    const { type, clipLow, clipHigh }: ObjectiveOptions = algorithm;
    if (clipLow === undefined || clipLow === null || clipHigh === undefined) return null;
    if (SEQUENCE_CLIP.has(type) && Math.max(clipLow, clipHigh) >= 0.05) {
      return {
        path: ["algorithm", clipLow >= 0.05 ? "clipLow" : "clipHigh"],
        message: `${type} clips the ratio of a whole answer, the geometric mean of its tokens' ratios: ${Math.max(clipLow, clipHigh)} is a token's range, hundreds of times the published one, and hardly ever binds`,
      };
    }
    if (TOKEN_CLIP.has(type) && Math.min(clipLow, clipHigh) > 0 && Math.max(clipLow, clipHigh) < 0.01) {
      return {
        path: ["algorithm", "clipHigh"],
        message: `${type} clips every token's ratio: ${clipHigh} is the range of a whole answer, and stops a token that became likelier by ${clipHigh} nats`,
      };
    }
    return null;
  },
};

const LONG_ANSWER = 4096;

export const lengthBias: Rule = {
  name: "length-bias",
  source: "Liu et al., arXiv 2503.20783, section 3; DAPO, arXiv 2503.14476, section 3.3",
  fix: "use aggregation: token-mean or seq-mean-token-sum-norm",
  rl: ({ algorithm, rollout: { sampling } }) => {
    const { type, aggregation }: ObjectiveOptions = algorithm;
    if (aggregation !== "seq-mean-token-mean" || sampling.maxTokens < LONG_ANSWER || OF_SEQUENCES.has(type))
      return null;
    return {
      path: "aggregation" in algorithm ? ["algorithm", "aggregation"] : ["algorithm"],
      message: `with answers of up to ${sampling.maxTokens} tokens, a mean within each answer punishes a token of a long wrong answer less than one of a short: wrong answers grow`,
    };
  },
};

export const lengthConstant: Rule = {
  name: "length-constant",
  source: "Liu et al., arXiv 2503.20783, section 3: the constant is the generation limit",
  fix: "keep one maxTokens, or use aggregation: token-mean",
  rl: (stage, { recipe }) => {
    const { aggregation }: ObjectiveOptions = stage.algorithm;
    if (aggregation !== "seq-mean-token-sum-norm") return null;
    const earlier = recipe.stages
      .slice(0, recipe.stages.indexOf(stage))
      .findLast((other) => other.type === "rl" && other.algorithm.type === stage.algorithm.type);
    if (earlier?.type !== "rl") return null;
    const [before, now] = [earlier.rollout.sampling.maxTokens, stage.rollout.sampling.maxTokens];
    if (before === now) return null;
    return {
      path: ["rollout", "sampling", "maxTokens"],
      message: `losses are divided by maxTokens, so the same answer weighs ${(before / now).toFixed(2)} times what it did in the stage before (${before} tokens), and maxGradNorm is another limit`,
    };
  },
};

const LONG_RUN = 1000;

export const frozenReference: Rule = {
  name: "frozen-reference",
  source: "ProRL v2 resets its reference periodically",
  fix: "set refreshReferenceEverySteps, or kl.coefficient 0",
  rl: (stage) => {
    const { kl }: ObjectiveOptions = stage.algorithm;
    if (kl === undefined || kl.coefficient === 0 || stage.refreshReferenceEverySteps !== undefined) return null;
    if (countUpdates(stage) < LONG_RUN) return null;
    return {
      path: ["algorithm", "kl", "coefficient"],
      message: `over ${countUpdates(stage)} optimizer steps the divergence from the first policy grows until it outweighs the reward`,
    };
  },
};

export const unusedReference: Rule = {
  name: "unused-reference",
  source: "this trainer: no KL term, no reference model",
  fix: "remove it, or give kl a coefficient",
  rl: ({ algorithm, refreshReferenceEverySteps }) => {
    if (refreshReferenceEverySteps === undefined || createObjective(algorithm).needs.includes("refLogprobs"))
      return null;
    return {
      path: ["refreshReferenceEverySteps"],
      message: `has no effect: ${algorithm.type} has no KL term here, so there is no reference`,
    };
  },
};
