/** The entropy terms around any variant: the bonus, its derivative, and the tokens of highest entropy. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { quantile } from "../../src/math/statistics.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { Example, TokenOutputs } from "../../src/types.ts";
import { exampleOf, type Row, withPrompt } from "./fixtures.ts";
import { variants } from "./variants.ts";

const rows: Row[] = [
  { logp: [-0.5, -1.2, -0.4], old: [-0.53, -1.5, -0.1], ref: [-0.4, -1.4, -0.12], advantage: 1.2, reward: 1 },
  { logp: [-0.8, -0.45], old: [-1.05, -0.1], ref: [-1.2, -0.35], advantage: -0.7, group: 1 },
];
const entropies = [
  [0.3, 2, 1],
  [0.1, 0.9],
];
const examples = rows.map(exampleOf);
const outputs = rows.map(
  ({ logp }, i): TokenOutputs => ({
    logprobs: withPrompt(logp),
    entropies: withPrompt(entropies[i]!),
    values: withPrompt(logp),
  }),
);
const batch = makeBatch(examples, 8, 0);

function lossesOf(spec: ObjectiveSpec, on: readonly Example[] = examples, at = outputs) {
  const objective = createObjective(spec);
  const prepared = objective.prepare?.(on, at, () => 0) ?? on;
  return prepared.map((example, i) => objective.loss(example, at[i]!, batch));
}

const specOf = (type: ObjectiveSpec["type"], rest: object) => ({ type, ...rest }) as ObjectiveSpec;

describe("the bonus", () => {
  it.each(variants)(
    "of $type: minus its coefficient times the entropies under its own aggregation, by every derivative",
    ({ type }) => {
      for (const aggregation of [
        "token-mean",
        "seq-mean-token-mean",
        "seq-mean-token-sum-norm",
        "prompt-mean",
      ] as const) {
        const plain = lossesOf(specOf(type, { aggregation }));
        const spec = specOf(type, { aggregation, entropy: { coefficient: 0.5 } });
        const withBonus = lossesOf(spec);
        // five tokens; two sequences of three and two, one in each group; limit 8
        const weights = {
          "token-mean": [1 / 5, 1 / 5],
          "seq-mean-token-mean": [1 / 6, 1 / 4],
          "seq-mean-token-sum-norm": [1 / 16, 1 / 16],
          "prompt-mean": [1 / 6, 1 / 4],
        }[aggregation];
        withBonus.forEach(({ loss, gradient, metrics }, i) => {
          const sum = entropies[i]!.reduce((a, b) => a + b);
          expect(loss - plain[i]!.loss).toBeCloseTo(-0.5 * weights[i]! * sum, 9);
          expect(gradient.dLogprobs).toEqual(plain[i]!.gradient.dLogprobs);
          expect([...gradient.dEntropies!]).toEqual([
            0,
            ...entropies[i]!.map(() => expect.closeTo(-0.5 * weights[i]!, 7)),
          ]);
          expect(metrics).toEqual(plain[i]!.metrics);
        });
        // central differences of the loss by one entropy
        const shifted = (by: number) => {
          const moved = { ...outputs[0]!, entropies: withPrompt([0.3, 2 + by, 1]) };
          return lossesOf(spec, examples, [moved, outputs[1]!])[0]!.loss;
        };
        const numeric = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
        expect(numeric).toBeCloseTo(withBonus[0]!.gradient.dEntropies![2]!, 7);
      }
    },
  );

  it("a coefficient of 0 changes nothing, and asks for nothing", () => {
    const spec = { type: "dapo", entropy: { coefficient: 0 } } as const;
    expect(createObjective(spec).needs).toEqual([]);
    expect(lossesOf(spec)).toEqual(lossesOf({ type: "dapo" }));
  });

  it("is not weighed by a correction, and of an empty answer there is none", () => {
    const spec = { type: "dapo", entropy: { coefficient: 1 } } as const;
    const zero = examples.map((example) => ({ ...example, weights: example.weights.map(() => 0) }));
    expect(lossesOf(spec, zero)[0]!.loss).toBeCloseTo(-3.3 / 5, 6);
    const empty = exampleOf({ logp: [], old: [], advantage: 1 });
    const { loss, gradient } = createObjective(spec).loss(
      empty,
      { logprobs: withPrompt([]), entropies: withPrompt([]) },
      batch,
    );
    expect(loss).toBeCloseTo(0, 12);
    expect([...gradient.dEntropies!]).toEqual([0]);
  });

  it("refuses outputs without entropies", () => {
    const [row] = rows;
    const spec = { type: "dapo", entropy: { coefficient: 1 } } as const;
    expect(() => createObjective(spec).loss(exampleOf(row!), { logprobs: withPrompt(row!.logp) }, batch)).toThrow(
      "dapo needs entropies",
    );
  });

  it("a wrong option is the user's error", () => {
    expect(() => createObjective({ type: "grpo", entropy: { coefficient: -1 } })).toThrow(
      "Options of grpo do not fit: entropy.coefficient",
    );
    expect(() => createObjective({ type: "grpo", entropy: { adaptive: { target: 1, min: 1, max: 0.5 } } })).toThrow(
      "min to be at most max",
    );
  });
});

describe("the tokens of highest entropy", () => {
  const spec = { type: "dapo", kl: { coefficient: 1, estimator: "k2" }, entropy: { topQuantile: 0.4 } } as const;

  it("alone pull: the share is of the step's tokens, and neither KL nor denominators change", () => {
    // .1 .3 .9 1 2: the .6 quantile is .94
    const noPolicy = examples.map((example) => ({ ...example, weights: example.weights.map(() => 0) }));
    const { kl } = spec;
    const divergence = lossesOf({ type: "dapo", kl }, noPolicy);
    const whole = lossesOf({ type: "dapo", kl });
    const masked = lossesOf(spec);
    const isKept = [
      [false, true, true],
      [false, false],
    ];
    masked.forEach(({ gradient }, i) => {
      isKept[i]!.forEach((kept, t) => {
        const expected = (kept ? whole : divergence)[i]!.gradient.dLogprobs[t + 1];
        expect(gradient.dLogprobs[t + 1]).toBe(expected);
      });
    });
    expect(whole[0]!.gradient.dLogprobs[1]).not.toBe(divergence[0]!.gradient.dLogprobs[1]);
  });

  it("are the same in any order of the sequences, and keep weights of a correction", () => {
    const objective = createObjective(spec);
    const weighed = examples.map((example) => ({ ...example, weights: example.weights.map(() => 0.5) }));
    const forward = objective.prepare!(weighed, outputs, () => 0).map(({ weights }) => [...weights]);
    const backward = objective.prepare!(weighed.toReversed(), outputs.toReversed(), () => 0).map(({ weights }) => [
      ...weights,
    ]);
    expect(backward.toReversed()).toEqual(forward);
    expect(forward[0]!.slice(1)).toEqual([0, 0.5, 0.5]);
  });

  it("come after what the variant itself prepares", () => {
    const both = { type: "kl-cov", fraction: 1, entropy: { topQuantile: 0.4 } } as const;
    const objective = createObjective(both);
    expect(objective.needs).toEqual(["stepOutputs"]);
    const prepared = objective.prepare!(examples, outputs, () => 0);
    expect(prepared.map(({ penalties }) => penalties!.reduce((a, b) => a + b))).toEqual([3, 2]);
    expect([...prepared[1]!.weights.slice(1)]).toEqual([0, 0]);
  });

  it("of equal entropies all are kept, and of no tokens none", () => {
    const flat = outputs.map((one) => ({ ...one, entropies: one.entropies!.map(() => 1) }));
    const objective = createObjective(spec);
    expect(objective.prepare!(examples, flat, () => 0).flatMap(({ weights }) => [...weights.slice(1)])).toEqual([
      1, 1, 1, 1, 1,
    ]);
    expect(objective.prepare!([], [], () => 0)).toEqual([]);
  });

  it("a quantile lies between two values by the straight line", () => {
    expect(quantile(Float64Array.of(3, 1, 2, 4), 0.5)).toBe(2.5);
    expect(quantile(Float64Array.of(3, 1, 2, 4), 0)).toBe(1);
    expect(quantile(Float64Array.of(3, 1, 2, 4), 1)).toBe(4);
    expect(quantile(Float64Array.of(7), 0.3)).toBe(7);
    expect(() => quantile(new Float64Array(), 0.5)).toThrow("nothing");
  });
});

it("what an objective says of its entropy terms", () => {
  const linesOf = (entropy: ObjectiveSpec["entropy"]) =>
    createObjective({ type: "dapo", ...(entropy === undefined ? {} : { entropy }) })
      .formula.slice(createObjective({ type: "dapo" }).formula.length)
      .map(({ symbol, expression }) => `${symbol} = ${expression}`);
  expect(linesOf({ coefficient: 0.01, topQuantile: 0.2 })).toEqual([
    "w_t = 0 where H_t is under the 0.8 quantile of the step's tokens",
    "L = L - 0.01 (1/N sum_i sum_t H_t)",
  ]);
  expect(linesOf({ adaptive: { target: 0.2 } })).toEqual([
    "L = L - c (1/N sum_i sum_t H_t) while H <= 0.2; c = 0, then +-0.0001 per batch towards it, in [0, 0.005]",
  ]);
  expect(linesOf(undefined)).toEqual([]);
});
