/** Clip-Cov and KL-Cov: which tokens a step chooses, and what becomes of them. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import { indicesOfLargest, numChosen, tokenCovariances } from "../../src/objectives/terms/covariance.ts";
import type { Example } from "../../src/types.ts";
import { exampleOf, outputsOf, type Row, stepOf } from "./fixtures.ts";
import { golden, TOLERANCE } from "./golden/harness.ts";
import { uniform } from "./tabular-policy.ts";

const { mask, logp, old, adv, max_len: maxTokens } = golden.batch;
const rows: Row[] = mask.map((row, i) => {
  const length = row.reduce((a, b) => a + b);
  return { logp: logp[i]!.slice(0, length), old: old[i]!.slice(0, length), advantage: adv[i]! };
});
const examples = rows.map(exampleOf);
const outputs = rows.map(outputsOf);

function prepared(spec: ObjectiveSpec, random = () => 0, on: readonly Example[] = examples): Example[] {
  return createObjective(spec).prepare!(on, outputs, random);
}

/** [example, position] of every token whose weight is 0, or that carries a penalty. */
function chosen(result: readonly Example[]): [number, number][] {
  return result.flatMap(({ sequence, weights, penalties }, s) =>
    [...sequence.lossMask.keys()].flatMap((t): [number, number][] =>
      sequence.lossMask[t] === 1 && (weights[t] === 0 || penalties?.[t] === 1) ? [[s, t]] : [],
    ),
  );
}

describe("covariances", () => {
  it("are over the tokens of the step, by hand", () => {
    const two = [
      exampleOf({ logp: [-1, -3], old: [-1, -3], advantage: 1 }),
      exampleOf({ logp: [-2], old: [-2], advantage: -2 }),
    ];
    const { covariances, positions } = tokenCovariances(two, [
      outputsOf({ logp: [-1, -3], old: [], advantage: 0 }),
      outputsOf({ logp: [-2], old: [], advantage: 0 }),
    ]);
    // mean A 0, mean logp -2
    expect([...covariances]).toEqual([1, -1, -0]);
    expect([...positions]).toEqual([1, 2, 1]);
  });

  it("the largest, of equal ones the first", () => {
    expect(indicesOfLargest(Float64Array.of(3, 1, 3, 2, 3), 2)).toEqual([0, 2]);
    expect(indicesOfLargest(Float64Array.of(3, 1, 3, 2, 3), 4)).toEqual([0, 2, 3, 4]);
    expect(indicesOfLargest(new Float64Array(), 0)).toEqual([]);
  });

  it("of a share: its whole part, at least one, at most all", () => {
    expect([
      numChosen(2e-4, 14),
      numChosen(2e-4, 10_000),
      numChosen(0.2, 14),
      numChosen(1, 3),
      numChosen(1, 0),
    ]).toEqual([1, 2, 2, 3, 0]);
  });
});

describe("Clip-Cov", () => {
  it("drops one token of the golden batch: its only one with a covariance inside (1, 5), 3.45", () => {
    expect(chosen(prepared({ type: "clip-cov" }))).toEqual([[3, 2]]);
  });

  it("drops none where the advantages are divided by the tokens first, as SkyRL ships it", () => {
    const folded = examples.map((example) => ({ ...example, advantages: example.advantages.map((a) => a / 14) }));
    expect(chosen(prepared({ type: "clip-cov" }, undefined, folded))).toEqual([]);
  });

  it("drops none that a clip holds: dual clip 1.5 holds that token, whose ratio is 2.46", () => {
    expect(chosen(prepared({ type: "clip-cov", dualClip: 1.5 }))).toEqual([]);
  });

  it("a dropped token pulls no more and still counts in the denominator", () => {
    const spec = { type: "clip-cov" } as const;
    const batch = makeBatch(prepared(spec), maxTokens);
    const without = stepOf(spec, makeBatch(examples, maxTokens), outputs).gradient;
    const { gradient } = stepOf(spec, batch, outputs);
    expect(without[3]![2]).toBeGreaterThan(0.2);
    expect(gradient[3]![2]).toBe(0);
    without[3]![2] = 0;
    expect(gradient).toEqual(without);
  });

  it("draws as many as its share out of the candidates, each at most once, by the given numbers alone", () => {
    // every token with a covariance above -9 is a candidate, but those that the clip holds
    const spec = { type: "clip-cov", fraction: 0.5, covarianceLow: -9 } as const;
    const first = chosen(prepared(spec, uniform(1)));
    expect(first).toHaveLength(7);
    expect(chosen(prepared(spec, uniform(1)))).toEqual(first);
    expect(chosen(prepared(spec, uniform(2)))).not.toEqual(first);
    const all = chosen(prepared({ ...spec, fraction: 1 }, uniform(3)));
    const held = stepOf({ type: "clip-cov" }, makeBatch(examples, maxTokens), outputs).gradient.flatMap((row) =>
      [...row.slice(1)].filter((value) => value === 0),
    );
    expect(held.length).toBeGreaterThan(1);
    expect(all).toHaveLength(14 - held.length);
  });

  it("a step without tokens chooses none", () => {
    const empty = exampleOf({ logp: [], old: [], advantage: 1 });
    for (const type of ["clip-cov", "kl-cov"] as const) {
      const result = createObjective({ type }).prepare!(
        [empty],
        [outputsOf({ logp: [], old: [], advantage: 1 })],
        () => 0,
      );
      expect(chosen(result)).toEqual([]);
    }
  });
});

describe("KL-Cov", () => {
  it("ties the two of largest covariance out of fourteen, in whatever order the sequences come", () => {
    const spec = { type: "kl-cov", fraction: 0.2 } as const;
    expect(chosen(prepared(spec))).toEqual([
      [0, 5],
      [3, 2],
    ]);
    const reversed = createObjective(spec).prepare!(examples.toReversed(), outputs.toReversed(), () => 0);
    expect(chosen(reversed.toReversed())).toEqual(chosen(prepared(spec)));
  });

  it("what SkyRL ships is refused: its penalty is summed over tokens, so it is our rule with the penalty times N = 14", () => {
    const spec = { type: "kl-cov", fraction: 0.2, penalty: 14 } as const;
    const { loss, gradient } = stepOf(spec, makeBatch(prepared(spec), maxTokens), outputs);
    const shipped = golden.loss["skyrl kl_cov token_mean (as shipped)"]!;
    expect(Math.abs(loss - shipped.loss)).toBeLessThan(TOLERANCE);
    gradient.forEach((row, i) => {
      row.slice(1).forEach((value, t) => {
        expect(Math.abs(value - shipped.grad![i]![t]!)).toBeLessThan(TOLERANCE);
      });
    });
    // a constant that grows with the batch is no coefficient: twice the batch, twice the pull
    const ruled = golden.loss["skyrl kl_cov rule with raw A, all terms / N tokens (control)"]!;
    expect(shipped.loss / ruled.loss).toBeGreaterThan(7);
  });

  it("at ratio 1 the penalty is flat, and a huge drift neither overflows nor turns to NaN", () => {
    const spec = { type: "kl-cov", fraction: 1, penalty: 1 } as const;
    const step = (drift: number) => {
      const row: Row = { logp: [-1], old: [-1 - drift], advantage: 1 };
      const [example] = createObjective(spec).prepare!([exampleOf(row)], [outputsOf(row)], () => 0);
      return stepOf(spec, makeBatch([example!], 8), [outputsOf(row)]);
    };
    expect(step(0)).toMatchObject({ loss: -1 });
    expect(step(0).gradient[0]![1]).toBe(-1);
    expect(step(800).loss).toBeCloseTo(800 - Math.exp(20), 0);
    expect(step(-800).loss).toBeCloseTo(800, 5);
    expect(step(-800).gradient[0]![1]).toBe(-1);
  });
});
