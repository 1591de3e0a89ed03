/** What the tests that go over every variant need to know of each. A type without an entry does not compile. */
import { type ObjectiveSpec, objectiveTypes } from "../../src/objectives/create.ts";
import { aggregations } from "../../src/objectives/terms/aggregation.ts";
import type { Batch, Example, TokenOutputs } from "../../src/types.ts";

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
};

export const variants = objectiveTypes.map((type) => ({ type, ...facts[type] }));

/** The published variant without a reference model. */
export function withoutKl(type: Type): ObjectiveSpec {
  const spec = { type } as ObjectiveSpec;
  const takesKl = !NO_KL.includes(type);
  return takesKl ? ({ ...spec, kl: { coefficient: 0 } } as ObjectiveSpec) : spec;
}

/** Variants without an option `kl`. */
const NO_KL: readonly Type[] = [];
