/** Advantages by hand of the estimators beside the clip family: what golden rows do not reach. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { RecipeError } from "../../src/errors.ts";
import { createObjective, type ObjectiveSpec, objectiveSchema } from "../../src/objectives/create.ts";
import type { ScoredGroup, TokenOutputs } from "../../src/types.ts";
import { advantagesOf, exampleOf, groupOf, outputsOf, type Row, stepOf, withPrompt } from "./fixtures.ts";

const noKl = { kl: { coefficient: 0 } } as const;

/** [groups][G] first trained token's advantage. */
function firstOf(spec: ObjectiveSpec, groups: readonly ScoredGroup[]): number[][] {
  const advantages = createObjective(spec).advantages(groups, [], undefined);
  return advantages.map((group) => group.map((ofTokens) => ofTokens[1]!));
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[], digits = 5): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i], `${i} of ${[...Array.from(actual)]}`).toBeCloseTo(value, digits);
  });
}

describe("reinforce++", () => {
  it("two answers of 2 and 4 tokens with rewards 1 and 0: 1.290994 and -.645497 on each token", () => {
    const [long] = createObjective({ type: "reinforce++", ...noKl }).advantages(
      [groupOf([1, 0], [2, 4])],
      [],
      undefined,
    );
    expectClose(long![0]!, [0, 1.290994, 1.290994]);
    expectClose(long![1]!, [0, -0.645497, -0.645497, -0.645497, -0.645497]);
    // variance 2/9 over the tokens, 4/15 over the tokens less one
    const [population] = firstOf({ type: "reinforce++", variance: "population", ...noKl }, [groupOf([1, 0], [2, 4])]);
    expectClose(population!, [Math.SQRT2, -Math.SQRT1_2]);
  });

  it("discounts from the last token back: returns .25, .5, 1", () => {
    const spec: ObjectiveSpec = { type: "reinforce++", gamma: 0.5, ...noKl };
    const [[only]] = createObjective(spec).advantages([groupOf([1], [3])], [], undefined) as [Float32Array[]];
    // mean .583333, squares .111111 + .006944 + .173611 over 2
    expectClose(only!, [0, -0.872872, -0.218218, 1.091089]);
  });

  it("pays the divergence on the token where it arises, and before", () => {
    const objective = createObjective({ type: "reinforce++", kl: { coefficient: 0.5 } });
    expect(objective.needs).toEqual(["refLogprobs", "oldLogprobs"]);
    const old: TokenOutputs[] = [{ logprobs: withPrompt([-1, -2]) }, { logprobs: withPrompt([-1]) }];
    const ref: TokenOutputs[] = [{ logprobs: withPrompt([-1.5, -2.25]) }, { logprobs: withPrompt([-1]) }];
    const group = groupOf([1, 0], [2, 1]);
    // k1 .5 and .25: rewards -.25 and .875, returns .625 and .875; the other 0. Mean .5, squares .40625 over 2
    const [[first, second]] = objective.advantages([group], [old], [ref]) as [Float32Array[]];
    expectClose(first!, [0, 0.27735, 0.83205]);
    expectClose(second!, [0, -1.1094]);
    expect(() => objective.advantages([group], [], undefined)).toThrow(/needs old and reference/);
  });

  it("compares with the whole batch: a prompt whose answers are all right is praised", () => {
    const [solved, failed] = firstOf({ type: "reinforce++", ...noKl }, [groupOf([1, 1]), groupOf([0, 0])]);
    expect(solved![0]).toBeGreaterThan(0.9);
    expect(failed![0]).toBeLessThan(-0.9);
  });

  it("a batch of equal rewards teaches exactly nothing, and excluded rollouts count nowhere", () => {
    expect(firstOf({ type: "reinforce++", ...noKl }, [groupOf([0.1, 0.1, 0.1])])).toEqual([[0, 0, 0]]);
    const withNull = firstOf({ type: "reinforce++", ...noKl }, [groupOf([1, null, 0])]);
    const without = firstOf({ type: "reinforce++", ...noKl }, [groupOf([1, 0])]);
    expect([withNull[0]![0], withNull[0]![2]]).toEqual(without[0]);
    expect(withNull[0]![1]).toBe(0);
  });
});

describe("reinforce++-baseline", () => {
  it("whitening moves the answers of a solved group away from 0, all alike", () => {
    const groups = [groupOf([1, 0], [1, 3]), groupOf([1, 1], [2, 2])];
    // .5, three times -.5, four times 0: mean -.125, variance .875 / 7
    const [mixed, solved] = firstOf({ type: "reinforce++-baseline" }, groups);
    expectClose(mixed!, [1.767767, -1.06066]);
    expectClose(solved!, [0.353553, 0.353553]);
  });

  it("a batch without any mixed group teaches exactly nothing", () => {
    expect(firstOf({ type: "reinforce++-baseline" }, [groupOf([1, 1], [2, 5]), groupOf([0, 0])])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

describe("remax", () => {
  it("takes the greedy answer's reward off, in a group of one too", () => {
    expect(firstOf({ type: "remax" }, [{ ...groupOf([1, 0, null]), greedyReward: 0.25 }])).toEqual([[0.75, -0.25, 0]]);
    expect(firstOf({ type: "remax" }, [{ ...groupOf([1]), greedyReward: 1 }])).toEqual([[0]]);
  });

  it("a prompt whose greedy answer has no reward teaches nothing; one that has no greedy answer is refused", () => {
    expect(firstOf({ type: "remax" }, [{ ...groupOf([1, 0]), greedyReward: null }])).toEqual([[0, 0]]);
    expect(createObjective({ type: "remax" }).needs).toEqual(["greedyReward"]);
    expect(() => firstOf({ type: "remax" }, [groupOf([1, 0])])).toThrow(
      "remax needs the reward of a greedy completion",
    );
  });
});

describe("opo", () => {
  it("long answers count more in the baseline: (3 * 1 + 1 * 0) / 4", () => {
    expect(firstOf({ type: "opo" }, [groupOf([1, 0], [3, 1])])).toEqual([[0.25, -0.75]]);
    expect(firstOf({ type: "opo" }, [groupOf([1, 0, null], [3, 1, 50])])).toEqual([[0.25, -0.75, 0]]);
  });
});

describe("gpg", () => {
  const mixed = [1, 2, 3, 4].map(() => groupOf([1, 0]));
  const groups = [...mixed, groupOf([1, 1]), groupOf([0, 0])];

  it("two groups of six are all equal: alpha 1.5; verl counts 6 of 12 rewards that are not 0: 2", () => {
    expect(firstOf({ type: "gpg" }, groups)[0]).toEqual([0.75, -0.75]);
    expect(firstOf({ type: "gpg", alpha: "nonzero-scores" }, groups)[0]).toEqual([1, -1]);
    expect(firstOf({ type: "gpg", alpha: "none" }, groups)[0]).toEqual([0.5, -0.5]);
    // F_norm the standard deviation, sqrt(1/2): 1.5 * .5 / .707107
    expect(firstOf({ type: "gpg", std: "sample" }, groups)[0]![0]).toBeCloseTo(1.06066, 5);
  });

  it("excluded rollouts count neither in B nor in M", () => {
    // 7 answers count, 4 of them in mixed groups: alpha 7/4
    const withNull = [groupOf([1, 0]), groupOf([1, 0, null]), groupOf([1, 1, 1])];
    expect(firstOf({ type: "gpg" }, withNull)[0]).toEqual([0.875, -0.875]);
  });

  it.each(["mixed-groups", "nonzero-scores"] as const)("%s: nothing left to divide by is no division by 0", (alpha) => {
    expect(firstOf({ type: "gpg", alpha }, [groupOf([0, 0])])).toEqual([[0, 0]]);
  });
});

describe("grpo-passk", () => {
  it("credits the best answer's lead alone, and no one where two are best", () => {
    // std of 3, 1, 2: 1
    expectClose(advantagesOf({ type: "grpo-passk" }, [1, 3, 2]), [0, 1, 0]);
    expect(advantagesOf({ type: "grpo-passk", std: "none" }, [0.5, null, 3, 1])).toEqual([0, 0, 2, 0]);
    expect(advantagesOf({ type: "grpo-passk" }, [1, 1, 0, 0])).toEqual([0, 0, 0, 0]);
    expect(advantagesOf({ type: "grpo-passk" }, [1, null])).toEqual([0, 0]);
  });

  it.each([
    ["population", 2 / Math.sqrt(14 / 9)],
    ["batch", 2 / Math.sqrt(7 / 3)],
    // the siblings 0 and 1: sqrt(1/2)
    ["leave-one-out", 2 / Math.SQRT1_2],
  ] as const)("divides by the deviation that std names: %s", (std, expected) => {
    // 0, 1, 3: mean 4/3, squares 14/3
    expect(advantagesOf({ type: "grpo-passk", std }, [0, 3, 1])[1]).toBeCloseTo(expected, 4);
  });
});

describe("maxrl", () => {
  it("one right of four: 3 and -1; a group of wrong answers teaches nothing", () => {
    expectClose(advantagesOf({ type: "maxrl" }, [1, 0, 0, 0]), [3, -1, -1, -1], 4);
    expect(advantagesOf({ type: "maxrl" }, [0, 0, 0])).toEqual([0, 0, 0]);
    expectClose(advantagesOf({ type: "maxrl" }, [1, null, 0, 0, 0]), [3, 0, -1, -1, -1], 4);
  });

  it("refuses what would turn its sign: rewards below 0, and a divergence in them", () => {
    expect(() => advantagesOf({ type: "maxrl" }, [1, -0.5])).toThrow(RecipeError);
    expect(() => advantagesOf({ type: "maxrl" }, [1, -0.5])).toThrow("Expected rewards from 0 up for maxrl, got -0.5");
    expect(() => createObjective({ type: "maxrl", kl: { coefficient: 0.1, placement: "reward" } })).toThrow(
      "expected placement: loss",
    );
  });
});

describe("decoupled rewards", () => {
  const types = ["grpo", "bnpo", "dapo"] as const;
  /** Scores by reward; null: abstained, and "excluded": failed. */
  function scored(
    rows: readonly (Readonly<Record<string, number | null>> | "excluded")[],
    rewardWeights: Readonly<Record<string, number>>,
    lengths?: readonly number[],
  ): ScoredGroup {
    const totals = rows.map((row) =>
      row === "excluded"
        ? null
        : Object.entries(rewardWeights).reduce((sum, [name, weight]) => sum + weight * (row[name] ?? 0), 0),
    );
    const group = groupOf(totals, lengths);
    const rewards = group.rewards.map(({ total }, i) => {
      const row = rows[i]!;
      if (row === "excluded") return { total, outcomes: { a: { status: "failed" as const, error: "broke" } } };
      const outcomes = Object.entries(row).map(([name, score]) => [
        name,
        score === null ? { status: "abstained" } : { status: "scored", score },
      ]);
      return { total, outcomes: Object.fromEntries(outcomes) };
    });
    return { ...group, rewards, rewardWeights };
  }

  const weights = { a: 1, b: 2, watched: 0 };
  const groups = [
    scored(
      [
        { a: 1, b: 0, watched: 9 },
        { a: 0, b: 0, watched: 1 },
      ],
      weights,
    ),
    scored(
      [
        { a: 1, b: 1, watched: 0 },
        { a: 0, b: 0, watched: 5 },
      ],
      weights,
    ),
  ];

  it.each(types)("%s: each on its own scale, then weighed, added, and divided by the batch's deviation", (type) => {
    // z is +-.707107 where a reward differs; sums +-.707107 and +-2.121320, whose deviation over 3 is 1.825742
    const [one, two] = firstOf({ type, rewards: "decoupled-by-answer" }, groups);
    expectClose(one!, [0.387277, -0.387277], 4);
    expectClose(two!, [1.161831, -1.161831], 4);
  });

  it("a reward of wide range drowns the others in the total, and does not when decoupled", () => {
    const of = (scale: number) => [
      scored(
        [
          { a: 1, b: 0 },
          { a: 0, b: scale },
          { a: 0, b: 0 },
        ],
        { a: 1, b: 1 },
      ),
    ];
    const [small] = firstOf({ type: "dapo", rewards: "decoupled-by-answer" }, of(1));
    const [large] = firstOf({ type: "dapo", rewards: "decoupled-by-answer" }, of(1000));
    expectClose(large!, small!, 3);
    expect(large![0]).toBeGreaterThan(0.5);
    const [total] = firstOf({ type: "dapo" }, of(1000));
    expect(total![0]).toBeLessThan(0);
  });

  it("a solved group stays at exactly 0 by answer; by token it moves where lengths differ", () => {
    const both = [
      scored(
        [
          { a: 1, b: 1 },
          { a: 0, b: 1 },
        ],
        weights,
        [1, 3],
      ),
      scored(
        [
          { a: 1, b: 1 },
          { a: 1, b: 1 },
        ],
        weights,
        [2, 2],
      ),
    ];
    expect(firstOf({ type: "dapo", rewards: "decoupled-by-answer" }, both)[1]).toEqual([0, 0]);
    // as reinforce++-baseline above, since whitening takes any scale away
    const [mixed, solved] = firstOf({ type: "dapo", rewards: "decoupled-by-token" }, both);
    expectClose(mixed!, [1.767767, -1.06066]);
    expectClose(solved!, [0.353553, 0.353553]);
  });

  it("an abstention leaves one reward's statistics, an exclusion all", () => {
    const row = (a: number, b: number | null) => ({ a, b });
    const of = (...rows: readonly (Readonly<Record<string, number | null>> | "excluded")[]) =>
      firstOf({ type: "dapo", rewards: "decoupled-by-answer" }, [scored(rows, { a: 1, b: 1 })])[0]!;
    const withAbstention = of(row(0, 1), row(0, 0), row(0, null));
    expect(withAbstention[2]).toBe(0);
    expect(withAbstention[0]).toBe(-withAbstention[1]!);
    const excluded = of(row(1, 1), "excluded", row(0, 0));
    expect(excluded[1]).toBe(0);
    expect([excluded[0], excluded[2]]).toEqual(of(row(1, 1), row(0, 0)));
  });

  it("asks for weights, and for the one published way to standardise", () => {
    const weightless: ObjectiveSpec = { type: "grpo", ...noKl, rewards: "decoupled-by-answer" };
    expect(() => firstOf(weightless, [groupOf([1, 0])])).toThrow(RecipeError);
    expect(() => firstOf(weightless, [groupOf([1, 0])])).toThrow("Expected the weights of the rewards for grpo");
    expect(() => createObjective({ ...weightless, std: "none" })).toThrow("expected total, or std: sample");
    const inReward = { coefficient: 0.1, placement: "reward" } as const;
    expect(() => createObjective({ ...weightless, kl: inReward })).toThrow("without KL in the reward");
  });
});

describe("every estimator", () => {
  const types = ["remax", "opo", "gpg", "reinforce++", "reinforce++-baseline", "bnpo", "maxrl", "grpo-passk"] as const;

  it.each(types)("%s: empty answers, and groups in which none counts, give zeros and no NaN", (type) => {
    const spec = { type, ...noKl } as ObjectiveSpec;
    const groups = [groupOf([1, 0], [0, 0]), groupOf([1, 0], [0, 2]), groupOf([null, null])];
    const advantages = createObjective(spec).advantages(
      groups.map((group) => ({ ...group, greedyReward: 0 })),
      [],
      undefined,
    );
    expect(advantages.flat().map(({ length }) => length)).toEqual([1, 1, 1, 3, 4, 4]);
    expect(advantages.flat().every((ofTokens) => ofTokens.every(Number.isFinite))).toBe(true);
    for (const ofTokens of advantages[2]!) expect(ofTokens.every((advantage) => advantage === 0)).toBe(true);
  });

  it.each(types)("%s: a token that became impossible, or certain, has a finite loss and gradient", (type) => {
    const spec = { type, ...noKl } as ObjectiveSpec;
    for (const [logp, old, advantage] of [
      [0, -800, -1],
      [-800, 0, 1],
      [0, -800, 1],
      [-800, 0, -1],
    ] as const) {
      const row: Row = { logp: [logp], old: [old], advantage };
      const empty: Row = { logp: [], old: [], advantage };
      const batch = makeBatch([exampleOf(row), exampleOf(empty)], 1);
      const { loss, gradient } = stepOf(spec, batch, [outputsOf(row), outputsOf(empty)]);
      expect(loss).not.toBeNaN();
      expect(Math.abs(loss)).toBeLessThan(1e9);
      expect(gradient[0]!.every(Number.isFinite)).toBe(true);
      expect([...gradient[1]!]).toEqual([0]);
    }
  });

  it.each<[ObjectiveSpec, readonly string[]]>([
    [{ type: "remax" }, ["A_i = R_i - reward of the greedy answer", "l_t = -A_i logp_t"]],
    [{ type: "gpg" }, ["A_i = alpha (R_i - mean(R))"]],
    [
      { type: "reinforce++", gamma: 0.9 },
      [
        "R_t = reward_i on the last token, else 0, less 0.01 k1(old_t, ref_t)",
        "A_t = sum over s >= t of 0.9^(s-t) R_s",
        "A_t = (A_t - mean(A)) / sqrt(var(A) + 1e-8) over all trained tokens of the rollout batch",
        "l_t = max(-A_t r_t, -A_t clip(r_t, 0.8, 1.2))",
      ],
    ],
    [{ type: "reinforce++-baseline" }, ["A_i = R_i - mean(R)", "l_t = max(-A_i r_t, -A_i clip(r_t, 0.8, 1.2))"]],
    [{ type: "maxrl" }, ["A_i = (R_i - mean(R)) / (mean(R) + 0.000001)"]],
    [{ type: "grpo-passk", std: "none" }, ["A_i = R_i - second largest R for the best answer, else 0"]],
    [
      { type: "bnpo", rewards: "decoupled-by-answer" },
      [
        "z_ik = (R_ik - mean(R_k)) / (std(R_k) + 0.0001)",
        "A_i = sum_k weight_k z_ik",
        "A_i = A_i / (std(A) + 0.0001) over all answers of the rollout batch",
      ],
    ],
  ])("says what it computes: %j", (spec, lines) => {
    const formula = createObjective(spec).formula.map(({ symbol, expression }) => `${symbol} = ${expression}`);
    for (const line of lines) expect(formula).toContain(line);
  });

  it("defaults are the published ones", () => {
    const kl = (coefficient: number) => ({ coefficient });
    const published: [ObjectiveSpec["type"], object][] = [
      ["remax", { aggregation: "seq-mean-token-sum", kl: kl(0) }],
      ["opo", { aggregation: "seq-mean-token-sum", kl: kl(0) }],
      ["gpg", { aggregation: "token-mean", alpha: "mixed-groups", std: "none", kl: kl(0) }],
      ["reinforce++", { gamma: 1, clipHigh: 0.2, kl: { estimator: "k1", placement: "reward" } }],
      ["reinforce++-baseline", { clipHigh: 0.2, kl: { estimator: "k2", placement: "loss" } }],
      ["bnpo", { aggregation: "token-mean", clipHigh: 0.2, stdEpsilon: 1e-4, kl: kl(0) }],
      ["maxrl", { aggregation: "token-mean", clipHigh: 0.2, kl: kl(0) }],
      ["grpo-passk", { aggregation: "token-mean", clipHigh: 0.2, std: "sample", stdEpsilon: 1e-6, kl: kl(0) }],
    ];
    for (const [type, options] of published) expect(objectiveSchema.parse({ type })).toMatchObject(options);
  });
});
