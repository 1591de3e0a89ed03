/** Corrections between server and trainer, and the numbers that show what they leave. */
import { describe, expect, it } from "vitest";
import { anchoredLoss, assemble, makeBatch } from "../../src/assemble.ts";
import { mergeMetrics, metricValues } from "../../src/metrics.ts";
import { createObjective } from "../../src/objectives/create.ts";
import { correctionOption, samplingMetrics, tokenWeights } from "../../src/objectives/terms/off-policy.ts";
import { exampleOf, groupOf, outputsOf, type Row } from "./fixtures.ts";

/** rho of each token; the log-probabilities themselves do not matter. */
function rowOf(ratios: readonly number[], advantage = 1): Row {
  const old = ratios.map(() => -1);
  return { logp: old, old, sampling: ratios.map((ratio) => -1 - Math.log(ratio)), advantage };
}

function weightsOf(correction: unknown, ratios: readonly number[], advantage = 1): number[] {
  const example = exampleOf(rowOf(ratios, advantage));
  return [...tokenWeights(example, example.old.logprobs, correctionOption.parse(correction))].slice(1);
}

const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));

describe("corrections", () => {
  it.each<[string, unknown, number[], number[]]>([
    ["tis holds at the cap", { type: "tis" }, [0.1, 1, 3], [0.1, 1, 2]],
    ["and at a floor", { type: "tis", floor: 0.5, cap: 5 }, [0.1, 1, 7], [0.5, 1, 5]],
    ["token-mask drops outside and weighs inside", { type: "token-mask" }, [0.4, 0.6, 4, 6], [0, 0.6, 4, 0]],
    ["sequence-tis is one product", { type: "sequence-tis" }, [0.5, 3], [1.5, 1.5]],
    ["held at the cap", { type: "sequence-tis" }, [2, 3], [2, 2]],
    ["sequence-mask weighs a product inside", { type: "sequence-mask" }, [2, 1.4], [2.8, 2.8]],
    ["and drops it outside", { type: "sequence-mask" }, [2, 1.6], [0, 0]],
    ["and below a floor", { type: "sequence-mask", floor: 0.5 }, [0.5, 0.9], [0, 0]],
    ["geometric-mask keeps the mean, at weight 1", { type: "geometric-mask" }, [1.3, 1 / 1.29], [1, 1]],
    ["and drops a mean outside", { type: "geometric-mask" }, [1.03, 1], [0, 0]],
    ["below too", { type: "geometric-mask" }, [0.97, 1], [0, 0]],
    [
      "a list multiplies token weights and a filter",
      [{ type: "tis" }, { type: "geometric-mask", low: 0.5, high: 2 }],
      [3, 0.5],
      [2, 0.5],
    ],
    ["a filter that drops leaves nothing", [{ type: "tis" }, { type: "geometric-mask" }], [3, 0.5], [0, 0]],
  ])("%s", (_, correction, ratios, expected) => {
    expect(weightsOf(correction, ratios)).toEqual(close(expected));
  });

  it("off-policy-mask drops an answer of negative advantage that drifted from the server, and no other", () => {
    // mean(sampling - old) = .6
    const drifted = [Math.exp(-1), Math.exp(-0.2)];
    expect(weightsOf({ type: "off-policy-mask" }, drifted, -1)).toEqual([0, 0]);
    expect(weightsOf({ type: "off-policy-mask", delta: 0.61 }, drifted, -1)).toEqual([1, 1]);
    expect(weightsOf({ type: "off-policy-mask" }, drifted, 1)).toEqual([1, 1]);
    expect(weightsOf({ type: "off-policy-mask" }, [Math.exp(1), Math.exp(0.2)], -1)).toEqual([1, 1]);
  });

  it("hold an answer whose product overflows or vanishes", () => {
    const [huge, tiny] = [new Array<number>(400).fill(1e3), new Array<number>(400).fill(1e-3)];
    expect(weightsOf({ type: "sequence-tis" }, huge)[0]).toBe(2);
    expect(weightsOf({ type: "sequence-mask" }, huge)[0]).toBe(0);
    expect(weightsOf({ type: "sequence-tis" }, tiny)[0]).toBeCloseTo(0, 6);
    expect(weightsOf({ type: "geometric-mask" }, tiny)[0]).toBe(0);
  });

  it("leave an answer without tokens alone", () => {
    expect(weightsOf({ type: "geometric-mask" }, [])).toEqual([]);
  });

  it("refuse two importance weights: the gap would count twice", () => {
    expect(() => correctionOption.parse([{ type: "tis" }, { type: "sequence-mask" }])).toThrow("count the gap twice");
    expect(() => correctionOption.parse([])).toThrow();
  });

  it("do not change denominators: the kept tokens do not become louder", () => {
    const rows = [rowOf([1, 8]), rowOf([1, 1, 1])];
    const objective = createObjective({ type: "dapo" });
    const correction = correctionOption.parse({ type: "token-mask" });
    const examples = rows.map((row) => {
      const example = exampleOf(row);
      return { ...example, weights: tokenWeights(example, example.old.logprobs, correction) };
    });
    const batch = makeBatch(examples, 8);
    expect(batch.numTokens).toBe(5);
    const { gradient } = objective.loss(examples[0]!, outputsOf(rows[0]!), batch);
    expect([...gradient.dLogprobs]).toEqual(close([0, -1 / 5, 0]));
  });

  it("compose with masked truncated answers: these leave the denominators, dropped ones do not", () => {
    const group = groupOf([1, 0, 0], [2, 3, 8], ["stop", "stop", "length"]);
    const dropped = { type: "geometric-mask", low: 0.9, high: 1.1 } as const;
    // the second answer's server was far off
    const old = [
      group.rollouts.map(({ sequence }, i) => ({
        logprobs: Float64Array.from(sequence.lossMask, (flag) => (flag === 1 && i === 1 ? -2 : 0)),
      })),
    ];
    const objective = createObjective({ type: "dapo" });
    const examples = assemble([group], old, undefined, objective, { maskTruncated: true, correction: dropped });
    expect(examples.map(({ weights }) => weights[1])).toEqual([1, 0]);
    const batch = makeBatch(examples, 8);
    expect(batch).toMatchObject({ numSequences: 2, numTokens: 5 });
    const loss = anchoredLoss(objective, batch, dropped);
    const results = examples.map((example, i) => loss(example, old[0]![i]!));
    expect(results[0]!.gradient.dLogprobs[1]).toBeCloseTo(-examples[0]!.advantages[1]! / 5, 6);
    expect([...results[1]!.gradient.dLogprobs]).toEqual([0, 0, 0, 0]);
    const metrics = metricValues(mergeMetrics(results.map((result) => result.metrics)));
    expect(metrics["rollout_corr/rollout_rs_masked_fraction"]).toBeCloseTo(3 / 5, 12);
  });
});

describe("metrics of the gap", () => {
  const rows = [rowOf([0.5, 1]), rowOf([2, 1, 1]), rowOf([4])];
  const valuesOf = (correction: unknown, split: readonly number[]) => {
    const chosen = correction === null ? undefined : correctionOption.parse(correction);
    const parts = rows.map((row) => samplingMetrics(exampleOf(row), chosen));
    let at = 0;
    const merged = split.map((size) => {
      at += size;
      return mergeMetrics(parts.slice(at - size, at));
    });
    return metricValues(mergeMetrics(merged));
  };

  it("by hand: ratios .5, 1, 2, 1, 1, 4", () => {
    const values = valuesOf(null, [3]);
    expect(values["sampling/importance_sampling_ratio/min"]).toBeCloseTo(0.5, 6);
    expect(values["sampling/importance_sampling_ratio/max"]).toBeCloseTo(4, 5);
    // -mean log rho = -(log .5 + log 2 + log 4) / 6
    expect(values["rollout_corr/kl"]).toBeCloseTo(-Math.log(4) / 6, 6);
    expect(values["rollout_corr/k3_kl"]).toBeCloseTo((9.5 - Math.log(4) - 6) / 6, 6);
    // (9.5)^2 / (6 * 23.25)
    expect(values["rollout_corr/rollout_is_eff_sample_size"]).toBeCloseTo(9.5 ** 2 / (6 * 23.25), 6);
    expect(values).not.toHaveProperty("rollout_corr/rollout_rs_masked_fraction");
  });

  it("the effective share is that of the correction's weights, where there is one", () => {
    // .5, 1, 2, 1, 1, 2
    expect(valuesOf({ type: "tis" }, [3])["rollout_corr/rollout_is_eff_sample_size"]).toBeCloseTo(
      7.5 ** 2 / (6 * 11.25),
      6,
    );
    const nothing = valuesOf({ type: "geometric-mask", low: 100, high: 200 }, [3]);
    expect(nothing["rollout_corr/rollout_is_eff_sample_size"]).toBe(0);
    expect(nothing["rollout_corr/rollout_rs_masked_fraction"]).toBe(1);
  });

  it("are the same for any split into micro-batches", () => {
    const whole = valuesOf({ type: "tis" }, [3]);
    for (const split of [
      [1, 2],
      [2, 1],
      [1, 1, 1],
    ]) {
      const values = valuesOf({ type: "tis" }, split);
      for (const [name, value] of Object.entries(whole)) expect(values[name], name).toBeCloseTo(value, 12);
    }
  });

  it("the product of a long answer shrinks the effective sample, its tokens' ratios hardly do", () => {
    // 64 answers of 1000 tokens with ratios of e^+-.05, in a fixed pattern that drifts by answer
    const long = Array.from({ length: 64 }, (_, answer) =>
      rowOf(
        Array.from({ length: 1000 }, (_, t) =>
          Math.exp(((t * 7919 + answer * 104729) % 2001) / 20010 - 0.05 + (answer - 32) / 20000),
        ),
      ),
    );
    const share = (correction: unknown) => {
      const parts = long.map((row) => samplingMetrics(exampleOf(row), correctionOption.parse(correction)));
      return metricValues(mergeMetrics(parts))["rollout_corr/rollout_is_eff_sample_size"]!;
    };
    expect(share({ type: "tis" })).toBeGreaterThan(0.99);
    expect(share({ type: "sequence-tis" })).toBeLessThan(0.8);
  });
});
