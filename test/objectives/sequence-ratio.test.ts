/** gspo, luspo and gmpo by hand: one ratio for a whole answer. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import type { ObjectiveSpec } from "../../src/objectives/create.ts";
import { exampleOf, outputsOf, type Row, stepOf } from "./fixtures.ts";

// log ratios .1, -.2, .4: mean .1
const row: Row = { logp: [-0.9, -1.2, -0.6], old: [-1, -1, -1], advantage: 1 };
const wide = { clipLow: 1, clipHigh: 10 } as const;

function step(spec: ObjectiveSpec, ...rows: Row[]) {
  return stepOf(spec, makeBatch(rows.map(exampleOf), 8), rows.map(outputsOf));
}

describe("the ratio of an answer", () => {
  it("gspo: log ratios of .1, -.2 and .4 make 1.105171, and each token a third of its derivative", () => {
    const { loss, gradient } = step({ type: "gspo", ...wide }, row);
    expect(loss).toBeCloseTo(-1.105171, 6);
    for (const value of gradient[0]!.subarray(1)) expect(value).toBeCloseTo(-1.105171 / 3, 6);
  });

  it("gspo: the clip holds 1.105171 at 1.0004, the whole answer stops pulling and counts as one clipped sequence", () => {
    const { loss, gradient, metrics } = step({ type: "gspo" }, row);
    expect(loss).toBeCloseTo(-1.0004, 12);
    expect([...gradient[0]!]).toEqual([0, 0, 0, 0]);
    expect(metrics[0]).toMatchObject({
      "clip_ratio/high_mean": { sum: 1, count: 1 },
      "clip_ratio/low_mean": { sum: 0, count: 1 },
      "ratio/sequence_max": { max: expect.closeTo(1.105171, 6) },
    });
    const negative = step({ type: "gspo" }, { ...row, advantage: -1 });
    expect(negative.loss).toBeCloseTo(1.105171, 6);
    expect(negative.metrics[0]).toMatchObject({ "clip_ratio/region_mean": { sum: 0, count: 1 } });
    const low = step({ type: "gspo" }, { ...row, logp: [-1.1, -1, -1], advantage: -1 });
    expect(low.loss).toBeCloseTo(1 - 3e-4, 12);
    expect(low.metrics[0]).toMatchObject({ "clip_ratio/low_mean": { sum: 1, count: 1 } });
  });

  it("gspo: has the gradient of GSPO-token, sg(s) exp(logp - sg(logp)), where the advantage is the same on every token", () => {
    const s = Math.exp(0.1);
    const { gradient } = step({ type: "gspo", ...wide }, row);
    // token form: l_t = -A sg(s) exp(logp_t - sg(logp_t)), mean over 3 tokens; each derivative is -A s / 3
    gradient[0]!.subarray(1).forEach((value) => {
      expect(value).toBeCloseTo(-s / 3, 6);
    });
  });

  it("luspo is gspo times the length: the gradients differ by it, whatever the weights", () => {
    const rows: Row[] = [row, { logp: [-1, -2], old: [-1.2, -1.7], advantage: -0.5, weights: [0.5, 2] }];
    const plain = step({ type: "gspo", ...wide }, ...rows);
    const scaled = step({ type: "luspo", ...wide }, ...rows);
    rows.forEach(({ logp }, i) => {
      logp.forEach((_, t) => {
        expect(scaled.gradient[i]![t + 1]!).toBeCloseTo(plain.gradient[i]![t + 1]! * logp.length, 6);
      });
    });
    expect(plain.gradient[1]![1]).not.toBe(0);
  });

  it("gmpo: a token is held at .4 nats only on the side its advantage pushes to, and no longer pulls", () => {
    // log ratios 1, -1, .2
    const wild: Row = { logp: [-1, -2, -0.8], old: [-2, -1, -1], advantage: 1 };
    const up = step({ type: "gmpo" }, wild);
    const held = Math.exp((0.4 - 1 + 0.2) / 3);
    expect(up.loss).toBeCloseTo(-held, 12);
    expect([...up.gradient[0]!].map((value) => value === 0)).toEqual([true, true, false, false]);
    expect(up.gradient[0]![2]).toBeCloseTo(-held / 3, 6);
    const down = step({ type: "gmpo" }, { ...wild, advantage: -1 });
    const heldDown = Math.exp((1 - 0.4 + 0.2) / 3);
    expect(down.loss).toBeCloseTo(heldDown, 12);
    expect([...down.gradient[0]!].map((value) => value === 0)).toEqual([true, false, true, false]);
    expect(up.metrics[0]).toMatchObject({
      "clip_ratio/high_mean": { sum: 1, count: 3 },
      "clip_ratio/low_mean": { sum: 0, count: 3 },
    });
    expect(down.metrics[0]).toMatchObject({ "clip_ratio/low_mean": { sum: 1, count: 3 } });
  });
});

describe("weights of a loss of whole answers", () => {
  it.each(["gspo", "luspo", "gmpo"] as const)(
    "%s: an answer's term is multiplied by the mean of its tokens' weights, and every token pulls alike",
    (type) => {
      const plain = step({ type, ...wide }, row);
      const weighed = step({ type, ...wide }, { ...row, weights: [0.5, 2, 0.25] });
      expect(weighed.loss).toBeCloseTo((plain.loss * 2.75) / 3, 12);
      weighed.gradient[0]!.forEach((value, t) => {
        expect(value).toBeCloseTo((plain.gradient[0]![t]! * 2.75) / 3, 6);
      });
      expect(step({ type, ...wide }, { ...row, weights: [0, 0, 0] }).loss).toBeCloseTo(0, 12);
    },
  );
});
