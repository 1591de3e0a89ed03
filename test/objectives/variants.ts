/** What the tests that go over every variant need to know of each. A type without an entry does not compile. */
import { type ObjectiveSpec, objectiveTypes } from "../../src/objectives/create.ts";
import { aggregations } from "../../src/objectives/terms/aggregation.ts";
import type { Batch, Example, TokenOutputs } from "../../src/types.ts";

import {
  binaryKl,
  clippedRatio,
  gammaOfProduct,
  heldCases,
  inRegion,
  nearAnchor,
  tapered,
  totalVariation,
} from "./held-loss.ts";

type Type = ObjectiveSpec["type"];

/** A setting whose gradient is compared with central differences of its loss. */
export interface GradientCase {
  readonly spec: ObjectiveSpec;
  /**
   * For losses that hold factors constant: the loss restated from its formula, with those factors taken at `held` and the rest at
   * `outputs`. Its differences are the gradient that is meant.
   */
  readonly heldLoss?: (example: Example, outputs: TokenOutputs, held: TokenOutputs, batch: Batch) => number;
}

interface Facts {
  /** For plain gradient descent on the tabular policy, with published defaults: tuned for each, so it compares nothing. */
  readonly learningRate: number;
  /** True where an answer is judged against its siblings alone (Objective.comparesSiblings). */
  readonly comparesSiblings: boolean;
  /** True where, besides, one number lies on all tokens of an answer, equal rewards give exactly 0 and a group's advantages sum to 0. */
  readonly isRelative: boolean;
  /** True where a ratio corrects for the old policy, so that several updates per batch are meant. */
  readonly hasRatio: boolean;
  /** True where the best answer of a group is what counts: two right of eight are as good as eight. */
  readonly raisesBest?: boolean;
  readonly gradientCases: readonly GradientCase[];
}

const kls = [
  { coefficient: 0 },
  ...(["k1", "k2", "k3", "abs"] as const).map((estimator) => ({
    coefficient: 0.3,
    estimator,
    placement: "loss" as const,
  })),
  ...(["k1", "k2", "k3"] as const).map((estimator) => ({
    coefficient: 0.3,
    estimator,
    placement: "loss" as const,
    gradient: "importance" as const,
  })),
];
const clips = [{}, { clipLow: 0.1, clipHigh: 0.4 }, { dualClip: 3 }, { dualClip: 1.5 }];

/** Every aggregation with every divergence in the loss, and every one of `options`. */
function allOf(type: Type, options: readonly object[] = [{}]): GradientCase[] {
  return aggregations.flatMap((aggregation) =>
    kls.flatMap((kl) => options.map((chosen) => ({ spec: { type, aggregation, kl, ...chosen } as ObjectiveSpec }))),
  );
}

const facts: Readonly<Record<Type, Facts>> = {
  reinforce: {
    learningRate: 12,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: false,
    gradientCases: allOf("reinforce"),
  },
  rloo: {
    learningRate: 25,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: false,
    gradientCases: allOf("rloo"),
  },
  grpo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("grpo", clips),
  },
  drgrpo: {
    learningRate: 200,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("drgrpo", clips),
  },
  dapo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("dapo", clips),
  },
  "clip-cov": {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("clip-cov", [...clips, { fraction: 0.3, covarianceLow: 0.1 }]),
  },
  "kl-cov": {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("kl-cov", [{}, { fraction: 0.3, penalty: 1 }, { fraction: 1, penalty: 0.5 }]),
  },
  remax: {
    learningRate: 25,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: false,
    gradientCases: allOf("remax"),
  },
  opo: {
    learningRate: 25,
    comparesSiblings: true,
    isRelative: false,
    hasRatio: false,
    gradientCases: allOf("opo"),
  },
  gpg: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: false,
    gradientCases: allOf("gpg"),
  },
  "reinforce++": {
    learningRate: 150,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("reinforce++", clips),
  },
  "reinforce++-baseline": {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("reinforce++-baseline", clips),
  },
  bnpo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("bnpo", clips),
  },
  maxrl: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("maxrl", clips),
  },
  "grpo-passk": {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: false,
    hasRatio: true,
    raisesBest: true,
    gradientCases: allOf("grpo-passk", clips),
  },
  ppo: {
    learningRate: 30,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("ppo", clips),
  },
  orz: {
    learningRate: 30,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("orz", clips),
  },
  "vc-ppo": {
    learningRate: 30,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("vc-ppo", clips),
  },
  vapo: {
    learningRate: 30,
    comparesSiblings: false,
    isRelative: false,
    hasRatio: true,
    gradientCases: allOf("vapo", [...clips, { positiveNll: 0 }, { positiveReward: 1 }]),
  },
  gspo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("gspo", [...clips, { clipLow: 0.2, clipHigh: 0.2 }]),
  },
  gmpo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("gmpo", [{}, { clipLow: 0.15, clipHigh: 1 }]),
  },
  cispo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: heldCases([
      { type: "cispo", options: {}, weights: clippedRatio("old", 0, 5) },
      { type: "cispo", options: { clipHigh: 1.2, anchor: "sampling" }, weights: clippedRatio("sampling", 0, 1.2) },
      {
        type: "cispo",
        options: { cap: "offset", clipLow: 0.2, clipHigh: 0.28 },
        weights: clippedRatio("old", 0.8, 1.28),
      },
    ]),
  },
  sapo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("sapo", [{}, { tauPositive: 2, tauNegative: 0.5 }]),
  },
  luspo: {
    learningRate: 40,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: allOf("luspo", [...clips, { clipLow: 0.2, clipHigh: 0.2 }]),
  },
  vespo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: heldCases([
      { type: "vespo", options: {}, weights: gammaOfProduct(false) },
      { type: "vespo", options: { mismatch: true }, weights: gammaOfProduct(true) },
    ]),
  },
  dppo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: heldCases([
      { type: "dppo", options: {}, weights: inRegion("sampling", totalVariation, 0.2, 20) },
      {
        type: "dppo",
        options: { anchor: "old", divergence: "kl", cap: 1.5 },
        weights: inRegion("old", binaryKl, 0.05, 1.5),
      },
      {
        type: "dppo",
        options: { surrogate: "ratio", cap: null, klTau: 0.1, thresholdLow: 0.1, thresholdHigh: 0.1 },
        weights: inRegion("sampling", totalVariation, 0.1),
        drift: { weight: 0.1, anchor: "sampling" },
      },
    ]),
  },
  ipo: {
    learningRate: 150,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: heldCases([
      { type: "ipo", options: {}, weights: nearAnchor(0.1), drift: { weight: 1e-3, anchor: "sampling" } },
    ]),
  },
  topr: {
    learningRate: 25,
    comparesSiblings: true,
    isRelative: true,
    hasRatio: true,
    gradientCases: heldCases([
      { type: "topr", options: {}, weights: tapered("sampling", true) },
      { type: "topr", options: { taper: "token", anchor: "old" }, weights: tapered("old", false) },
    ]),
  },
};

export const variants = objectiveTypes.map((type) => ({ type, raisesBest: false, ...facts[type] }));

/** The published variant without a reference model, and without a pull to what sampled. */
export function withoutKl(type: Type): ObjectiveSpec {
  const spec = { type, ...(type === "ipo" ? { klTau: 0 } : {}) } as ObjectiveSpec;
  const takesKl = !NO_KL.includes(type);
  return takesKl ? ({ ...spec, kl: { coefficient: 0 } } as ObjectiveSpec) : spec;
}

/** Variants without an option `kl`. */
const NO_KL: readonly Type[] = [];
