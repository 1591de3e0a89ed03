/** Values worked by hand, the rules that only a formula's corners show, and what is refused. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { RecipeError } from "../../src/errors.ts";
import { populationStd } from "../../src/math/statistics.ts";
import { mergeMetrics, metricValues } from "../../src/metrics.ts";
import {
  checkGroupSize,
  createObjective,
  type ObjectiveSpec,
  objectiveSchema,
  objectiveTypes,
} from "../../src/objectives/create.ts";
import { klEstimate, klTerm } from "../../src/objectives/terms/kl.ts";
import type { TokenOutputs } from "../../src/types.ts";
import { advantagesOf, exampleOf, groupOf, outputsOf, type Row, stepOf, withPrompt } from "./fixtures.ts";

const plain: ObjectiveSpec = { type: "rloo", kl: { coefficient: 0 } };

describe("advantages by hand", () => {
  // r = [1, 0, 0, 1]: mean .5, deviations +-.5, sample std sqrt(4 * .25 / 3) = .577350, population std .5
  it.each<[string, ObjectiveSpec, number]>([
    ["sample std, epsilon 1e-4", { type: "grpo", stdEpsilon: 1e-4 }, 0.865875],
    ["sample std, epsilon 1e-6", { type: "grpo" }, 0.866024],
    ["population std, epsilon 1e-4", { type: "grpo", std: "population", stdEpsilon: 1e-4 }, 0.9998],
    ["no std", { type: "dapo", std: "none" }, 0.5],
    ["Dr. GRPO", { type: "drgrpo" }, 0.5],
    ["RLOO", plain, 0.666667],
  ])("two right of four, %s: +-%3$s", (_, spec, expected) => {
    const advantages = advantagesOf(spec, [1, 0, 0, 1]);
    [expected, -expected, -expected, expected].forEach((value, i) => {
      expect(advantages[i]).toBeCloseTo(value, 6);
    });
  });

  it.each<[string, ObjectiveSpec, number, number]>([
    ["sample std, epsilon 1e-4", { type: "grpo", stdEpsilon: 1e-4 }, 2.474174, -0.353453],
    ["population std, epsilon 1e-4", { type: "grpo", std: "population", stdEpsilon: 1e-4 }, 2.644952, -0.37785],
    ["RLOO", plain, 1, -0.142857],
  ])("one right of eight, %s", (_, spec, right, wrong) => {
    const advantages = advantagesOf(spec, [1, 0, 0, 0, 0, 0, 0, 0]);
    expect(advantages[0]).toBeCloseTo(right, 6);
    for (const advantage of advantages.slice(1)) expect(advantage).toBeCloseTo(wrong, 6);
  });

  it("rewards of +1 and -1 with epsilon 1e-4: +-.86595", () => {
    expect(advantagesOf({ type: "grpo", stdEpsilon: 1e-4 }, [1, -1, -1, 1])[0]).toBeCloseTo(0.86595, 6);
  });

  it("sample and population std differ by sqrt(G / (G - 1))", () => {
    const sample = advantagesOf({ type: "grpo", stdEpsilon: 1e-12 }, [3, 1, 4, 1, 5]);
    const population = advantagesOf({ type: "grpo", std: "population", stdEpsilon: 1e-12 }, [3, 1, 4, 1, 5]);
    expect(population[0]! / sample[0]!).toBeCloseTo(Math.sqrt(5 / 4), 6);
    expect(populationStd([3, 1, 4, 1, 5])).toBeCloseTo(1.6, 12);
  });

  it("reinforce takes the reward itself, in a group of one too", () => {
    expect(advantagesOf({ type: "reinforce" }, [1, 0, -0.5])).toEqual([1, 0, -0.5]);
    expect(advantagesOf({ type: "reinforce" }, [1])).toEqual([1]);
  });

  it("an excluded rollout gets 0 and is left out of mean, std and the others", () => {
    const withNull = advantagesOf({ type: "grpo" }, [1, null, 0, 0, 1]);
    expect(withNull[1]).toBe(0);
    expect([0, 2, 3, 4].map((i) => withNull[i])).toEqual(advantagesOf({ type: "grpo" }, [1, 0, 0, 1]));
    const looWithNull = advantagesOf(plain, [1, null, 0, 0, 1]);
    expect([0, 2, 3, 4].map((i) => looWithNull[i])).toEqual(advantagesOf(plain, [1, 0, 0, 1]));
    expect(advantagesOf({ type: "reinforce" }, [2, null])).toEqual([2, 0]);
  });

  it("a group with one or no counted rollout gets exactly 0", () => {
    for (const type of ["rloo", "grpo", "drgrpo", "dapo"] as const) {
      expect(advantagesOf({ type, kl: { coefficient: 0 } }, [1, null, null])).toEqual([0, 0, 0]);
      expect(advantagesOf({ type, kl: { coefficient: 0 } }, [null, null])).toEqual([0, 0]);
    }
  });

  it("KL in the reward comes off before the baseline, summed over the completion", () => {
    const group = groupOf([1, 0], [2, 1]);
    const old: TokenOutputs[] = [{ logprobs: withPrompt([-1, -2]) }, { logprobs: withPrompt([-1]) }];
    const ref: TokenOutputs[] = [{ logprobs: withPrompt([-1.5, -2.25]) }, { logprobs: withPrompt([-0.5]) }];
    const objective = createObjective({ type: "rloo", kl: { coefficient: 0.1 } });
    // k1: .5 + .25 = .75 and -.5, so rewards .925 and .05, and each is compared with the other
    const [first, second] = objective.advantages([group], [old], [ref])[0]!;
    expect(first![2]).toBeCloseTo(0.875, 6);
    expect(second![1]).toBeCloseTo(-0.875, 6);
    expect(objective.needs).toEqual(["refLogprobs", "oldLogprobs"]);
    expect(() => objective.advantages([group], [], undefined)).toThrow(/needs old and reference/);
  });
});

describe("aggregation by hand", () => {
  // token losses [[1, 3], [2, 2, 2, 6]], made by reinforce with advantage 1 and logp = -loss; Lmax 8
  const rows: Row[] = [
    { logp: [-1, -3], old: [0, 0], advantage: 1 },
    { logp: [-2, -2, -2, -6], old: [0, 0, 0, 0], advantage: 1 },
  ];
  it.each([
    ["token-mean", 2.666667],
    ["seq-mean-token-mean", 2.5],
    ["seq-mean-token-sum", 8],
    ["seq-mean-token-sum-norm", 1],
  ] as const)("%s: %f", (aggregation, expected) => {
    const spec: ObjectiveSpec = { type: "reinforce", aggregation };
    expect(stepOf(spec, makeBatch(rows.map(exampleOf), 8), rows.map(outputsOf)).loss).toBeCloseTo(expected, 6);
  });

  it("the push on a token of a 10-token and of a 100-token answer is 10:1 under grpo, 1:1 under drgrpo and dapo", () => {
    const answers: Row[] = [10, 100].map((length) => {
      const logp = new Array<number>(length).fill(-1);
      return { logp, old: logp, ref: logp, advantage: 1 };
    });
    const push = (type: "grpo" | "drgrpo" | "dapo") => {
      const batch = makeBatch(answers.map(exampleOf), 128);
      const { gradient } = stepOf({ type }, batch, answers.map(outputsOf));
      return gradient[0]![1]! / gradient[1]![1]!;
    };
    expect(push("grpo")).toBeCloseTo(10, 6);
    expect(push("drgrpo")).toBe(1);
    expect(push("dapo")).toBe(1);
  });
});

describe("clip by hand", () => {
  // [ratio, advantage, clip .2/.2, .2/.28, .2/.28 with dual clip 3, with dual clip 10]
  it.each([
    [1.25, 1, -1.2, -1.25, -1.25, -1.25],
    [1.35, 1, -1.2, -1.28, -1.28, -1.28],
    [0.7, 1, -0.7, -0.7, -0.7, -0.7],
    [0.7, -1, 0.8, 0.8, 0.8, 0.8],
    [1.35, -1, 1.35, 1.35, 1.35, 1.35],
    [5, -1, 5, 5, 3, 5],
    [12, -1, 12, 12, 3, 10],
  ])("ratio %f, advantage %f", (ratio, advantage, ...expected) => {
    const row: Row = { logp: [Math.log(ratio)], old: [0], advantage };
    const specs: ObjectiveSpec[] = [
      { type: "dapo", clipHigh: 0.2 },
      { type: "dapo" },
      { type: "dapo", dualClip: 3 },
      { type: "dapo", dualClip: 10 },
    ];
    specs.forEach((spec, i) => {
      const { loss, gradient } = stepOf(spec, makeBatch([exampleOf(row)], 1), [outputsOf(row)]);
      expect(loss).toBeCloseTo(expected[i]!, 6);
      // the token pulls exactly where the loss is the unclipped -A r
      const isFree = Math.abs(expected[i]! + advantage * ratio) < 1e-9;
      expect(gradient[0]![1]).toBeCloseTo(isFree ? -advantage * ratio : 0, 5);
    });
  });

  it("dapo: a ratio of 1.5 is held at 1.28 and counted as clipped high", () => {
    const row: Row = { logp: [Math.log(1.5), 0], old: [0, 0], advantage: 1 };
    const { loss, metrics } = stepOf({ type: "dapo" }, makeBatch([exampleOf(row)], 2), [outputsOf(row)]);
    expect(loss).toBeCloseTo(-(1.28 + 1) / 2, 12);
    expect(metrics[0]).toMatchObject({
      "clip_ratio/high_mean": { sum: 1, count: 2 },
      "clip_ratio/low_mean": { sum: 0, count: 2 },
      "clip_ratio/region_mean": { sum: 1, count: 2 },
      "ratio/max": { max: expect.closeTo(1.5, 12) },
      ppo_kl: { sum: expect.closeTo(-Math.log(1.5), 12), count: 2 },
    });
  });

  it("a token that became impossible, or certain, cannot overflow: the log ratio is held at +-20", () => {
    for (const [logp, old, advantage] of [
      [0, -800, -1],
      [-800, 0, 1],
    ] as const) {
      const row: Row = { logp: [logp], old: [old], advantage };
      const { loss, gradient } = stepOf({ type: "dapo" }, makeBatch([exampleOf(row)], 1), [outputsOf(row)]);
      expect(loss).toBeCloseTo(-advantage * Math.exp(Math.sign(logp - old) * 20), 12);
      expect(gradient[0]![1]).toBeCloseTo(0, 12);
    }
  });
});

describe("metrics of an update by hand", () => {
  it("a token counts as clipped only where the clip takes its gradient away", () => {
    const logp = [0.5, 0.9, 1.25, 1.5, 4].map(Math.log);
    const old = logp.map(() => 0);
    const shares = (advantage: number) => {
      const row: Row = { logp, old, advantage };
      const { metrics, gradient } = stepOf({ type: "dapo", dualClip: 3 }, makeBatch([exampleOf(row)], 8), [
        outputsOf(row),
      ]);
      const { "clip_ratio/low_mean": low, "clip_ratio/high_mean": high, "clip_ratio/dual_mean": dual } = metrics[0]!;
      const numStill = gradient[0]!.subarray(1).filter((value) => value === 0).length;
      return { low, high, dual, numStill };
    };
    const count = 5;
    // .2/.28: only 1.5 and 4 are above 1.28; only .5 is below .8; only 4 is above 3
    expect(shares(1)).toEqual({
      low: { sum: 0, count },
      high: { sum: 2, count },
      dual: { sum: 0, count },
      numStill: 2,
    });
    expect(shares(-1)).toEqual({
      low: { sum: 1, count },
      high: { sum: 0, count },
      dual: { sum: 1, count },
      numStill: 2,
    });
  });

  it("policy_loss is the step's, kl and entropy are means over tokens", () => {
    const rows: Row[] = [
      { logp: [-1, -1], old: [-1, -1], ref: [-1.5, -1], advantage: 1 },
      { logp: [-2], old: [-2], ref: [-1.5], advantage: -0.5 },
    ];
    const batch = makeBatch(rows.map(exampleOf), 8);
    const objective = createObjective({ type: "dapo", kl: { coefficient: 0.1, estimator: "k2" } });
    const parts = rows.map((row, i) => {
      const outputs = { ...outputsOf(row), entropies: withPrompt(row.logp.map(() => i + 1)) };
      return objective.loss(exampleOf(row), outputs, batch).metrics;
    });
    const metrics = metricValues(mergeMetrics(parts));
    // policy terms -1, -1, .5 over three tokens; k2 .125, 0, .125; entropies 1, 1, 2
    expect(metrics["policy_loss"]).toBeCloseTo(-0.5, 12);
    expect(metrics["kl"]).toBeCloseTo(0.25 / 3, 12);
    expect(metrics["entropy"]).toBeCloseTo(4 / 3, 12);
    expect(metrics["ppo_kl"]).toBe(0);
    expect(metrics["ratio/max"]).toBe(1);
  });
});

describe("KL by hand", () => {
  // (logp, ref) -> k1, k2, k3 = exp(ref - logp) - (ref - logp) - 1
  it.each([
    [-1, -1.5, 0.5, 0.125, 0.106531],
    [-1.5, -1, -0.5, 0.125, 0.148721],
    [-2, -2, 0, 0, 0],
  ])("logp %f, ref %f", (logp, ref, k1, k2, k3) => {
    expect(klEstimate("k1", logp, ref).value).toBeCloseTo(k1, 6);
    expect(klEstimate("k2", logp, ref).value).toBeCloseTo(k2, 6);
    expect(klEstimate("k3", logp, ref).value).toBeCloseTo(k3, 6);
    expect(klEstimate("abs", logp, ref).value).toBeCloseTo(Math.abs(k1), 6);
  });

  it("k3+ has the value of k3 and the gradient of k2", () => {
    expect(klEstimate("k3+", -1, -1.5)).toEqual({ value: klEstimate("k3", -1, -1.5).value, dLogprob: 0.5 });
  });

  it("k3 of a token far from the reference is held at 10, and pulls no more", () => {
    expect(klEstimate("k3", -30, -1)).toEqual({ value: 10, dLogprob: 0 });
    expect(klEstimate("k3", -1, -9)).toMatchObject({ value: expect.closeTo(7 + Math.exp(-8), 12) });
  });

  it("score-function: the same value, and the estimate itself beside its derivative; of k3 that is logp - ref exactly", () => {
    const kl = { coefficient: 1, placement: "loss", gradient: "score-function" } as const;
    for (const difference of [-1.2, -0.1, 0, 0.3, 2]) {
      const { value, dLogprob } = klTerm({ ...kl, estimator: "k3" }, difference - 3, -3, Number.NaN);
      expect(value).toBe(klEstimate("k3", difference - 3, -3).value);
      expect(dLogprob).toBeCloseTo(difference, 12);
      expect(klTerm({ ...kl, estimator: "k1" }, difference - 3, -3, Number.NaN).dLogprob).toBeCloseTo(
        1 + difference,
        12,
      );
    }
  });

  it("importance: r times the estimate, which on-policy is the score function's gradient", () => {
    const kl = { coefficient: 1, estimator: "k3", placement: "loss" } as const;
    const [logprob, ref] = [-1, -1.5];
    const importance = { ...kl, gradient: "importance" } as const;
    const { value, dLogprob } = klTerm(importance, logprob, ref, -1.25);
    // r = e^.25 = 1.284025, k3 = .106531, d k3 = 1 - e^-.5 = .393469
    expect(value).toBeCloseTo(1.284025 * 0.106531, 6);
    expect(dLogprob).toBeCloseTo(1.284025 * (0.393469 + 0.106531), 5);
    const onPolicy = klTerm(importance, logprob, ref, logprob);
    expect(onPolicy).toEqual(klTerm({ ...kl, gradient: "score-function" }, logprob, ref, logprob));
  });

  it("over all tokens, score-function is the divergence's gradient and direct k3 is not", () => {
    // KL(p || q) of two tokens by p's logit: p (1 - p) (log p / q - log (1 - p) / (1 - q))
    const [p, q] = [0.7, 0.4];
    const logits = (gradient: "direct" | "score-function", estimator: "k1" | "k2" | "k3") => {
      const kl = { coefficient: 1, estimator, placement: "loss", gradient } as const;
      const pull = (own: number, other: number) => klTerm(kl, Math.log(own), Math.log(other), Math.log(own)).dLogprob;
      // d log p / d logit = 1 - p, d log (1 - p) / d logit = -p, in the mean over what p draws
      return p * (1 - p) * (pull(p, q) - pull(1 - p, 1 - q));
    };
    const exact = p * (1 - p) * (Math.log(p / q) - Math.log((1 - p) / (1 - q)));
    expect(logits("score-function", "k1")).toBeCloseTo(exact, 12);
    expect(logits("score-function", "k3")).toBeCloseTo(exact, 12);
    expect(logits("direct", "k2")).toBeCloseTo(exact, 12);
    expect(logits("direct", "k1")).toBeCloseTo(0, 12);
    expect(Math.abs(logits("direct", "k3") - exact)).toBeGreaterThan(0.02);
  });

  it.each([
    { estimator: "k3+", gradient: "importance" },
    { placement: "reward", gradient: "score-function" },
  ] as const)("%o is refused: there is no such gradient", (kl) => {
    expect(() => createObjective({ type: "grpo", kl })).toThrow("kl.gradient: expected direct");
  });

  it("without a coefficient no reference is asked for; with one the loss refuses an example that has none", () => {
    expect(createObjective({ type: "grpo", kl: { coefficient: 0 } }).needs).toEqual([]);
    expect(createObjective({ type: "dapo" }).needs).toEqual([]);
    const objective = createObjective({ type: "grpo" });
    expect(objective.needs).toEqual(["refLogprobs"]);
    const row: Row = { logp: [-1], old: [-1], advantage: 1 };
    expect(() => objective.loss(exampleOf(row), outputsOf(row), makeBatch([exampleOf(row)], 1))).toThrow(
      "grpo needs reference log-probabilities",
    );
  });
});

describe("weights", () => {
  it("a weight scales the policy term and its gradient, not the KL, and not the denominators", () => {
    const row: Row = { logp: [-1, -2], old: [-1, -2], ref: [-1.5, -1], advantage: 1 };
    const spec: ObjectiveSpec = { type: "grpo", kl: { coefficient: 1, estimator: "k2" } };
    const step = (weights: number[]) => {
      const example = exampleOf({ ...row, weights });
      return stepOf(spec, makeBatch([example], 2), [outputsOf(row)]);
    };
    // policy terms -1 each, k2 terms .125 and .5, over two tokens
    expect(step([1, 1]).loss).toBeCloseTo((-2 + 0.625) / 2, 6);
    expect(step([0.5, 0]).loss).toBeCloseTo((-0.5 + 0.625) / 2, 6);
    expect([...step([0.5, 0]).gradient[0]!]).toEqual([0, 0, expect.closeTo(-0.5, 6)]);
  });
});

describe("options", () => {
  it("a type without options is the published algorithm", () => {
    expect(objectiveSchema.parse({ type: "dapo" })).toEqual({
      type: "dapo",
      clipLow: 0.2,
      clipHigh: 0.28,
      dualClip: null,
      rewards: "total",
      std: "sample",
      stdEpsilon: 1e-6,
      kl: { coefficient: 0, estimator: "k3", placement: "loss", gradient: "direct" },
      aggregation: "token-mean",
    });
    expect(objectiveSchema.parse({ type: "grpo" })).toMatchObject({
      clipHigh: 0.2,
      kl: { coefficient: 0.04, estimator: "k3", placement: "loss" },
      aggregation: "seq-mean-token-mean",
    });
    expect(objectiveSchema.parse({ type: "drgrpo" })).toMatchObject({
      kl: { coefficient: 0 },
      aggregation: "seq-mean-token-sum-norm",
    });
    expect(objectiveSchema.parse({ type: "rloo" })).toMatchObject({
      kl: { coefficient: 0.03, estimator: "k1", placement: "reward" },
      aggregation: "seq-mean-token-sum",
    });
  });

  it("naming one field of kl keeps the others", () => {
    expect(objectiveSchema.parse({ type: "grpo", kl: { coefficient: 0.001 } })).toMatchObject({
      kl: { coefficient: 0.001, estimator: "k3", placement: "loss" },
    });
  });

  it.each<[string, () => unknown, string]>([
    [
      "a clip range that does not exist",
      () => createObjective({ type: "grpo", clipLow: -1 }),
      "Options of grpo do not fit: clipLow",
    ],
    [
      "a dual clip inside the clip range",
      () => createObjective({ type: "dapo", dualClip: 1.1 }),
      "dualClip to be null or at least 1 + clipHigh",
    ],
    [
      "an option that the variant does not have",
      () => createObjective({ type: "drgrpo", ...({ std: "sample" } as object) }),
      'Unrecognized key: "std"',
    ],
    [
      "a type that does not exist",
      () => createObjective({ ...({ type: "grop" } as object) } as ObjectiveSpec),
      `one of ${objectiveTypes.join(", ")}, got grop`,
    ],
    [
      "a group of one",
      () => advantagesOf({ type: "dapo" }, [1]),
      "Expected groupSize to be an integer from 2 up for dapo, got 1",
    ],
    [
      "a group of one, before sampling",
      () => checkGroupSize({ type: "rloo" }, 1),
      "With one rollout every advantage is zero",
    ],
  ])("%s is the user's error", (_, act, message) => {
    expect(act).toThrow(RecipeError);
    expect(act).toThrow(message);
  });

  it("reinforce may have groups of one", () => {
    expect(() => checkGroupSize({ type: "reinforce" }, 1)).not.toThrow();
  });

  it("every option of every type says what it means", () => {
    const options = objectiveSchema.options.flatMap((variant) =>
      Object.entries(variant.shape).filter(([name]) => name !== "type"),
    );
    expect(options.length).toBeGreaterThan(20);
    for (const [name, option] of options) expect(option.description, name).toBeTruthy();
  });
});

describe("what an objective says of itself", () => {
  it("dapo: every line in order, with the numbers of its options", () => {
    const { formula } = createObjective({ type: "dapo", dualClip: 10, kl: { coefficient: 0.01 } });
    expect(formula.map(({ symbol, expression }) => `${symbol} = ${expression}`)).toEqual([
      "R_i = reward_i",
      "A_i = (R_i - mean(R)) / (std(R) + 0.000001)",
      "r_t = exp(logp_t - old_t)",
      "l_t = max(-A_i r_t, -A_i clip(r_t, 0.8, 1.28)), at most -10 A_i where A_i < 0",
      "k_t = exp(ref_t - logp_t) - (ref_t - logp_t) - 1",
      "L = 1/N sum_i sum_t (w_t l_t + 0.01 k_t)",
    ]);
  });

  it("rloo: a divergence in the reward stands before the reward, of the old policy", () => {
    const { formula } = createObjective({ type: "rloo" });
    expect(formula.map(({ symbol, expression }) => `${symbol} = ${expression}`)).toEqual([
      "k_t = old_t - ref_t",
      "R_i = reward_i - 0.03 sum_t k_t",
      "A_i = R_i - mean of R_j over j != i",
      "l_t = -A_i logp_t",
      "L = 1/S sum_i sum_t w_t l_t",
    ]);
  });
});
