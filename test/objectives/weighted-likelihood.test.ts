/** cispo, vespo, dppo and ipo by hand: which weight a token's log-likelihood gets, and which tokens get none. */
import { describe, expect, it } from "vitest";
import { assemble, makeBatch } from "../../src/assemble.ts";
import { RecipeError } from "../../src/errors.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import { binaryDivergence } from "../../src/objectives/terms/trust-region.ts";
import { exampleOf, groupOf, outputsOf, type Row, stepOf } from "./fixtures.ts";

function step(spec: ObjectiveSpec, row: Row) {
  return stepOf(spec, makeBatch([exampleOf(row)], 8), [outputsOf(row)]);
}

/** [T] The weight of each token: d loss / d logp over -A / T. */
function weightsOf(spec: ObjectiveSpec, row: Row): number[] {
  return [...step(spec, row).gradient[0]!.subarray(1)].map((value) => (value * row.logp.length) / -row.advantage);
}

describe("cispo", () => {
  // ratios .1, .9, 1.1, 3, 8 to the old policy
  const logp = [0.1, 0.9, 1.1, 3, 8].map((ratio) => Math.log(ratio) - 3);
  const row: Row = { logp, old: logp.map(() => -3), advantage: 2 };

  it.each<[string, object, number[]]>([
    ["the published cap of 5, TRL's and ScaleRL's absolute reading", {}, [0.1, 0.9, 1.1, 3, 5]],
    ["an absolute cap of 1.2", { clipHigh: 1.2 }, [0.1, 0.9, 1.1, 1.2, 1.2]],
    ["5 read as an offset: 6", { cap: "offset" }, [0.1, 0.9, 1.1, 3, 6]],
    ["verl's and NeMo-RL's two sides", { cap: "offset", clipLow: 0.2, clipHigh: 0.2 }, [0.8, 0.9, 1.1, 1.2, 1.2]],
    ["SkyRL's and AReaL's [0, 5]", { cap: "offset", clipLow: 1, clipHigh: 4 }, [0.1, 0.9, 1.1, 3, 5]],
  ])("%s", (_, options, expected) => {
    weightsOf({ type: "cispo", ...options }, row).forEach((weight, t) => {
      expect(weight).toBeCloseTo(expected[t]!, 5);
    });
  });

  it("counts tokens above the cap of positive advantage, as TRL does", () => {
    expect(step({ type: "cispo", clipHigh: 2 }, row).metrics[0]).toMatchObject({
      cispo_clip_ratio: { sum: 2, count: 5 },
    });
    expect(step({ type: "cispo", clipHigh: 2 }, { ...row, advantage: -1 }).metrics[0]).toMatchObject({
      cispo_clip_ratio: { sum: 0, count: 5 },
    });
  });

  it("with anchor: sampling the ratio is to the server's log-probabilities", () => {
    const drifted: Row = { ...row, sampling: logp.map((value) => value - Math.log(2)) };
    weightsOf({ type: "cispo", anchor: "sampling" }, drifted).forEach((weight) => {
      expect(weight).toBeCloseTo(2, 5);
    });
  });

  it("an absolute cap below 1 is the user's error, and says how an offset is written", () => {
    expect(() => createObjective({ type: "cispo", clipHigh: 0.2 })).toThrow(RecipeError);
    expect(() => createObjective({ type: "cispo", clipHigh: 0.2 })).toThrow("clipHigh: 1.2, or cap: offset");
    expect(() => createObjective({ type: "cispo", clipHigh: 0.2, cap: "offset" })).not.toThrow();
  });
});

describe("a ratio to the sampler", () => {
  const groups = [groupOf([1, 0])];
  const outputs = [groups[0]!.rollouts.map(() => ({ logprobs: new Float64Array(4).fill(-1) }))];
  const tis = { type: "tis", cap: 2, floor: 0 } as const;
  const filter = { type: "geometric-mask", low: 0.5, high: 2 } as const;

  it.each<ObjectiveSpec>([
    { type: "cispo", anchor: "sampling" },
    { type: "vespo", mismatch: true },
    { type: "dppo" },
    { type: "ipo" },
  ])(
    "$type refuses a weight between server and trainer, which would count the gap twice, and takes a filter",
    (spec) => {
      const objective = createObjective(spec);
      const withWeight = () => assemble(groups, outputs, undefined, objective, { correction: tis });
      expect(withWeight).toThrow(RecipeError);
      expect(withWeight).toThrow(`${spec.type}, whose ratios are to the server's log-probabilities already, got tis`);
      expect(() => assemble(groups, outputs, undefined, objective, { correction: [filter, tis] })).toThrow("got tis");
      expect(() => assemble(groups, outputs, undefined, objective, { correction: filter })).not.toThrow();
    },
  );

  it.each<ObjectiveSpec>([
    { type: "cispo" },
    { type: "vespo" },
    { type: "dppo", anchor: "old" },
    { type: "ipo", anchor: "old" },
    { type: "topr", anchor: "old" },
  ])("$type to the old policy takes the weight", (spec) => {
    const examples = assemble(groups, outputs, undefined, createObjective(spec), { correction: tis });
    expect(examples[0]!.weights[1]).toBeCloseTo(Math.exp(-1), 6);
  });
});

describe("vespo", () => {
  // W = e^-1 over two tokens
  const row: Row = { logp: [-1.5, -1.5], old: [-1, -1], sampling: [-0.5, -1], advantage: 1 };
  const phi = (k: number, lambda: number, w: number) => Math.exp(lambda) * w ** k * Math.exp(-lambda * w);

  it("weighs an answer by its probability ratio, with k 2 and lambda 3, or 3 and 2 where the advantage is negative", () => {
    const w = Math.exp(-1);
    expect(weightsOf({ type: "vespo" }, row)[0]).toBeCloseTo(phi(2, 3, w), 6);
    expect(weightsOf({ type: "vespo" }, { ...row, advantage: -1 })[1]).toBeCloseTo(phi(3, 2, w), 6);
    expect(weightsOf({ type: "vespo" }, { ...row, logp: row.old })).toEqual([1, 1]);
    expect(step({ type: "vespo" }, row).metrics[0]).toMatchObject({
      "vespo/phi_seq_mean": { sum: expect.closeTo(phi(2, 3, w), 12), count: 1 },
    });
  });

  it("with mismatch the ratio is to the server's log-probabilities", () => {
    expect(weightsOf({ type: "vespo", mismatch: true }, row)[0]).toBeCloseTo(phi(2, 3, Math.exp(-1.5)), 6);
  });

  it("an answer that became e^20 times likelier, or less than 1e-8 times as likely, has no weight and no NaN", () => {
    for (const logp of [[-0.5], [-60]]) {
      const [weight] = weightsOf({ type: "vespo" }, { logp, old: [-30], advantage: 1 });
      expect(weight).toBeGreaterThanOrEqual(0);
      expect(weight).toBeLessThan(1e-12);
    }
  });
});

describe("dppo and ipo", () => {
  // probabilities of .1, .5, .5 and .9 that were .5, .1, .45 and .95
  const row: Row = {
    logp: [0.1, 0.5, 0.5, 0.9].map(Math.log),
    old: [0.5, 0.1, 0.45, 0.95].map(Math.log),
    sampling: [0.5, 0.1, 0.45, 0.95].map(Math.log),
    advantage: 1,
  };
  const ratios = [0.2, 5, 0.5 / 0.45, 0.9 / 0.95];

  it("dppo leaves out a token that rose by more than .2 only where its advantage pushes up, and one that fell only where it pushes down", () => {
    const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));
    expect(weightsOf({ type: "dppo" }, row)).toEqual(close([ratios[0]!, 0, ratios[2]!, ratios[3]!]));
    expect(weightsOf({ type: "dppo" }, { ...row, advantage: -1 })).toEqual(
      close([0, ratios[1]!, ratios[2]!, ratios[3]!]),
    );
    expect(step({ type: "dppo" }, row).metrics[0]).toMatchObject({
      is_masked: { sum: 1, count: 4 },
      is_masked_low: { sum: 0, count: 4 },
      is_masked_high: { sum: 1, count: 4 },
    });
  });

  it("dppo: two outcomes of .5 and .1 diverge by .51083 nats from the anchor of .5, and by .36806 from .1", () => {
    // .5 ln(.5/.1) + .5 ln(.5/.9) = .804719 - .293893;  .1 ln(.1/.5) + .9 ln(.9/.5) = -.160944 + .529008
    expect(binaryDivergence("kl", Math.log(0.1), Math.log(0.5))).toBeCloseTo(0.510826, 6);
    expect(binaryDivergence("kl", Math.log(0.5), Math.log(0.1))).toBeCloseTo(0.368064, 6);
    expect(binaryDivergence("tv", Math.log(0.5), Math.log(0.1))).toBeCloseTo(0.4, 12);
    const strict: ObjectiveSpec = { type: "dppo", divergence: "kl", thresholdHigh: 0.37 };
    expect(weightsOf(strict, row)[1]).toBeCloseTo(5, 5);
    expect(weightsOf({ ...strict, thresholdHigh: 0.36 }, row)[1]).toBeCloseTo(0, 12);
  });

  it("dppo: the cap truncates the weight, and both surrogates have the same gradient", () => {
    const free = { type: "dppo", thresholdHigh: 1 } as const;
    expect(weightsOf(free, row)[1]).toBeCloseTo(5, 5);
    expect(weightsOf({ ...free, cap: 3 }, row)[1]).toBeCloseTo(3, 5);
    const likelihood = step({ ...free, cap: 3 }, row);
    const ratio = step({ ...free, cap: 3, surrogate: "ratio" }, row);
    expect(ratio.gradient).toEqual(likelihood.gradient);
    expect(ratio.loss).toBeCloseTo(-(0.2 + 3 + ratios[2]! + ratios[3]!) / 4, 6);
    expect(likelihood.loss).not.toBeCloseTo(ratio.loss, 2);
  });

  it("ipo leaves out a token that moved by more than .1 either way, whatever its advantage, and the penalty draws it back", () => {
    for (const advantage of [1, -1]) {
      const { gradient, metrics } = step({ type: "ipo" }, { ...row, advantage });
      // 1e-3 * 2 log r / 4
      expect(gradient[0]![1]).toBeCloseTo((2e-3 * Math.log(0.2)) / 4, 9);
      expect(gradient[0]![2]).toBeCloseTo((2e-3 * Math.log(5)) / 4, 9);
      expect(Math.sign(gradient[0]![3]!)).toBe(-advantage);
      expect(metrics[0]).toMatchObject({ is_masked: { sum: 2, count: 4 }, is_masked_low: { sum: 1, count: 4 } });
    }
  });

  it("a penalty pulls on tokens of advantage 0 too, so the loop may not leave them out", () => {
    expect(createObjective({ type: "ipo" }).needs).toEqual(["everyToken"]);
    expect(createObjective({ type: "ipo", klTau: 0 }).needs).toEqual([]);
    expect(createObjective({ type: "dppo" }).needs).toEqual([]);
    expect(createObjective({ type: "dppo", klTau: 1e-3 }).needs).toEqual(["everyToken"]);
    expect(step({ type: "ipo" }, { ...row, advantage: 0 }).gradient[0]![1]).not.toBe(0);
  });
});

describe("sapo", () => {
  it("is the ratio near 1 and flat far from it, sooner where the advantage is negative", () => {
    const at = (ratio: number, advantage: number) =>
      step({ type: "sapo" }, { logp: [Math.log(ratio) - 9], old: [-9], advantage }).gradient[0]![1]!;
    expect(at(1, 1)).toBeCloseTo(-1, 6);
    expect(at(1, -1)).toBeCloseTo(1, 6);
    // 4 sigma(tau 2) (1 - sigma(tau 2)) 3: sigma(2) = .880797, sigma(2.1) = .890903
    expect(at(3, 1)).toBeCloseTo(-1.259923, 5);
    expect(at(3, -1)).toBeCloseTo(1.166336, 5);
    expect(Math.abs(at(1000, 1))).toBeLessThan(1e-12);
  });
});

describe("topr", () => {
  // token ratios 3, .5 and .25 to the sampler: the answer's is .375
  const row: Row = {
    logp: [-1, -2, -3],
    old: [-1, -2, -3],
    sampling: [-1 - Math.log(3), -2 + Math.log(2), -3 + Math.log(4)],
    advantage: 1,
  };
  const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));
  const weights = (options: object, advantage: number) =>
    weightsOf({ type: "topr", aggregation: "token-mean", ...options }, { ...row, advantage });

  it("a good answer counts in full, a bad one as far as the policy still gives it", () => {
    expect(weights({}, 2)).toEqual(close([1, 1, 1]));
    expect(weights({}, -2)).toEqual(close([0.375, 0.375, 0.375]));
    expect(weights({ taper: "token" }, -2)).toEqual(close([1, 0.5, 0.25]));
    expect(weights({ anchor: "old" }, -2)).toEqual(close([1, 1, 1]));
  });

  it("an answer that became likelier counts once, and reports its weight", () => {
    const likelier: Row = { logp: [-1], old: [-1], sampling: [-9], advantage: -1 };
    const { gradient, metrics } = step({ type: "topr" }, likelier);
    expect(gradient[0]![1]).toBe(1);
    expect(metrics[0]).toMatchObject({ "topr/negative_weight_mean": { sum: 1, count: 1 } });
  });
});
