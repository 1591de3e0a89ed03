/** What a critic makes of completions, what it learns from them, and how the four objectives that have one differ. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { mergeMetrics, metricValues } from "../../src/metrics.ts";
import { createObjective, type ObjectiveSpec, objectiveSchema } from "../../src/objectives/create.ts";
import { lengthAdaptiveLambda } from "../../src/objectives/terms/gae.ts";
import { valueTerm } from "../../src/objectives/terms/value.ts";
import type { Example, ScoredGroup, TokenOutputs } from "../../src/types.ts";
import { exampleOf, groupOf, sequenceOf, withPrompt } from "./fixtures.ts";
import { golden, TOLERANCE } from "./golden/harness.ts";

const TYPES = ["ppo", "orz", "vc-ppo", "vapo"] as const;

/** One completion of reward 1 with these values, in a group of one. */
function oneAnswer(values: readonly number[], reward: number | null = 1): [ScoredGroup[], TokenOutputs[][]] {
  return [
    [groupOf([reward], [values.length])],
    [[{ logprobs: withPrompt(values.map(() => -1)), values: withPrompt(values) }]],
  ];
}

function advantagesOf(spec: ObjectiveSpec, values: readonly number[], reward: number | null = 1): number[] {
  const [groups, old] = oneAnswer(values, reward);
  return [...createObjective(spec).advantages(groups, old, undefined)[0]![0]!.slice(1)];
}

function returnsOf(spec: ObjectiveSpec, values: readonly number[], reward: number | null = 1): number[] {
  const [groups, old] = oneAnswer(values, reward);
  return [...createObjective(spec).critic!.returns(groups, old, undefined)[0]![0]!.slice(1)];
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, t) => {
    expect(Math.abs(value - expected[t]!), `${actual} and ${expected}`).toBeLessThan(TOLERANCE);
  });
}

describe("generalised advantages", () => {
  // mission.md, Appendix A9: r = [0, 0, 0, 1], V = [.2, .4, .6, .8], gamma 1; the recursion by hand
  const values = [0.2, 0.4, 0.6, 0.8];
  it.each([
    [1, [0.8, 0.6, 0.4, 0.2]],
    [0.95, [0.741975, 0.5705, 0.39, 0.2]],
    [0.5, [0.375, 0.35, 0.3, 0.2]],
  ])("lambda %d", (lambda, expected) => {
    expectClose(advantagesOf({ type: "ppo", lambda, whiten: false }, values), expected);
  });

  it("with gamma = lambda = 1 they are the return less the value, and the return is the reward", () => {
    expectClose(advantagesOf({ type: "orz", whiten: false }, [0.3, -0.2, 0.9, 0.1], -1), [-1.3, -0.8, -1.9, -1.1]);
    expectClose(returnsOf({ type: "orz" }, [0.3, -0.2, 0.9, 0.1], -1), [-1, -1, -1, -1]);
  });

  it("a discount shrinks the reward by gamma per token before the last", () => {
    expectClose(returnsOf({ type: "ppo", gamma: 0.5, lambda: 1 }, values), [0.125, 0.25, 0.5, 1]);
  });

  it("returns are the advantages before whitening plus the values, with the critic's own lambda", () => {
    expectClose(returnsOf({ type: "ppo" }, values), [0.941975, 0.9705, 0.99, 1]);
    expectClose(returnsOf({ type: "vc-ppo" }, values), [1, 1, 1, 1]);
    expectClose(returnsOf({ type: "vapo" }, values), [1, 1, 1, 1]);
  });

  it.each([
    [10, 0],
    [20, 0],
    [40, 0.5],
    [100, 0.8],
    [400, 0.95],
    [1000, 0.98],
    [8000, 0.9975],
    [20_480, 0.999023],
  ])("VAPO's lambda of %d tokens is %d", (numTokens, expected) => {
    expect(lengthAdaptiveLambda(0.05, numTokens)).toBeCloseTo(expected, 6);
  });

  it("vapo takes the lambda of each answer's own length, vc-ppo one for all", () => {
    const long = Array.from({ length: 40 }, (_, t) => 0.5 + 0.01 * t);
    const byLength = advantagesOf({ type: "vapo", whiten: false }, long);
    expectClose(byLength, advantagesOf({ type: "ppo", lambda: 0.5, whiten: false }, long));
    // 4 tokens: lambda 0, so that each token sees the next value alone
    expectClose(advantagesOf({ type: "vapo", whiten: false }, values), [0.2, 0.2, 0.2, 0.2]);
    expectClose(advantagesOf({ type: "vc-ppo", whiten: false }, values), [0.741975, 0.5705, 0.39, 0.2]);
  });

  it("value and advantage pass through tokens that are not trained", () => {
    const { rollouts, ...rest } = groupOf([1], [6]);
    const lossMask = Uint8Array.of(0, 1, 1, 0, 0, 1, 1);
    const masked = { ...rest, rollouts: [{ ...rollouts[0]!, sequence: { ...rollouts[0]!.sequence, lossMask } }] };
    const old = [[{ logprobs: new Float32Array(7), values: Float64Array.of(9, 0.2, 0.4, 9, 9, 0.6, 0.8) }]];
    const objective = createObjective({ type: "ppo", whiten: false });
    const advantages = objective.advantages([masked], old, undefined)[0]![0]!;
    expectClose([...advantages], [0, 0.741975, 0.5705, 0, 0, 0.39, 0.2]);
    expectClose([...objective.critic!.returns([masked], old, undefined)[0]![0]!], [0, 0.941975, 0.9705, 0, 0, 0.99, 1]);
  });

  it("whitening brings all trained tokens of the batch to mean 0 and sample variance 1; excluded rollouts stay out", () => {
    const groups = [groupOf([1, 0, null], [3, 2, 4]), groupOf([0.5], [1])];
    const old = groups.map(({ rollouts }) =>
      rollouts.map(({ sequence }, i) => ({
        logprobs: new Float32Array(sequence.lossMask.length),
        values: Float64Array.from(sequence.lossMask, (_, t) => 0.1 * t * (i + 1)),
      })),
    );
    const advantages = createObjective({ type: "ppo" }).advantages(groups, old, undefined);
    expect([...advantages[0]![2]!]).toEqual([0, 0, 0, 0, 0]);
    const tokens = [advantages[0]![0]!, advantages[0]![1]!, advantages[1]![0]!].flatMap((row) => [...row.slice(1)]);
    const mean = tokens.reduce((a, b) => a + b) / 6;
    expect(mean).toBeCloseTo(0, 6);
    expect(tokens.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 5).toBeCloseTo(1, 6);
  });

  it.each(TYPES)(
    "%s: equal advantages of the whole batch are exactly 0, and an empty answer breaks nothing",
    (type) => {
      const groups = [groupOf([0.7, 0.7, 0.3], [3, 5, 0])];
      const old = [
        [3, 5, 0].map((length) => ({ logprobs: new Float32Array(length + 1), values: new Float64Array(length + 1) })),
      ];
      // V = 0 and lambda 0 or 1 or between: all but the reward's own token differ, so take gamma = 1, lambda = 1
      const ones =
        type === "vapo"
          ? { lengthAdaptiveAlpha: null, lambdaActor: 1 }
          : type === "vc-ppo"
            ? { lambdaActor: 1 }
            : { lambda: 1 };
      const spec = { type, ...ones } as ObjectiveSpec;
      const advantages = createObjective(spec).advantages(groups, old, undefined)[0]!;
      expect(advantages.flatMap((row) => [...row])).toEqual(new Array(4 + 6 + 1).fill(0));
    },
  );

  it("a divergence in the reward is paid on the token where it arises, from policy and critic alike", () => {
    const [groups] = oneAnswer([0, 0, 0]);
    const old = [[{ logprobs: withPrompt([-1, -2, -0.5]), values: withPrompt([0, 0, 0]) }]];
    const ref = [[{ logprobs: withPrompt([-1.5, -1, -0.5]) }]];
    const objective = createObjective({ type: "ppo", lambda: 1, whiten: false, kl: { coefficient: 0.1 } });
    // k1 = old - ref = .5, -1, 0; rewards -.05, .1, 1
    expectClose([...objective.advantages(groups, old, ref)[0]![0]!], [0, 1.05, 1.1, 1]);
    expectClose([...objective.critic!.returns(groups, old, ref)[0]![0]!], [0, 1.05, 1.1, 1]);
    expect(objective.needs).toEqual(["values", "refLogprobs", "oldLogprobs"]);
  });

  it("are refused without values", () => {
    const objective = createObjective({ type: "ppo" });
    expect(() => objective.advantages([groupOf([1])], [[{ logprobs: new Float32Array(4) }]], undefined)).toThrow(
      /critic's values/,
    );
  });
});

describe("the value loss", () => {
  const { vpred, vold, ret } = golden.value;
  const lengths = golden.batch.mask.map((row) => row.reduce((a, b) => a + b));
  const examples = lengths.map(
    (length, i): Example => ({
      ...exampleOf({ logp: new Array(length).fill(-1), old: vold[i]!.slice(0, length), advantage: 0 }),
      old: { logprobs: withPrompt(new Array(length).fill(-1)), values: withPrompt(vold[i]!.slice(0, length)) },
      returns: Float32Array.from(withPrompt(ret[i]!.slice(0, length))),
    }),
  );
  const outputs = lengths.map((length, i): TokenOutputs => {
    const values = withPrompt(vpred[i]!.slice(0, length));
    return { logprobs: values.map(() => -1), values };
  });

  function stepOf(valueClip: number | null) {
    const { critic } = createObjective({ type: "ppo", valueClip });
    const batch = makeBatch(examples, golden.batch.max_len);
    const losses = examples.map((example, i) => critic!.loss(example, outputs[i]!, batch));
    return { loss: losses.reduce((sum, own) => sum + own.loss, 0), losses, batch };
  }

  it("is verl's, with its share of clipped tokens", () => {
    const { loss, losses } = stepOf(golden.value.clip);
    const row = golden.loss["verl value loss clip .5 token-mean"]! as { loss: number; clipfrac?: number };
    expect(Math.abs(loss - row.loss)).toBeLessThan(TOLERANCE);
    const metrics = metricValues(mergeMetrics(losses.map((own) => own.metrics)));
    expect(Math.abs(metrics["critic/vf_clipfrac"]! - row.clipfrac!)).toBeLessThan(TOLERANCE);
    expect(metrics["critic/vf_loss"]).toBeCloseTo(loss, 12);
    const all = lengths.flatMap((length, i) => vpred[i]!.slice(0, length));
    expect(metrics["critic/vpred_mean"]).toBeCloseTo(all.reduce((a, b) => a + b) / all.length, 12);
  });

  it.each([0.5, 0.2, null])("its derivative is that of central differences, clip %s", (valueClip) => {
    const { losses, batch } = stepOf(valueClip);
    const { critic } = createObjective({ type: "ppo", valueClip });
    const shift = 1e-5;
    let numMoving = 0;
    examples.forEach((example, i) => {
      for (let t = 1; t < example.sequence.lossMask.length; t++) {
        const at = (by: number) => {
          const values = Float64Array.from(outputs[i]!.values!);
          values[t]! += by;
          return critic!.loss(example, { ...outputs[i]!, values }, batch).loss;
        };
        const { dValues, dLogprobs } = losses[i]!.gradient;
        expect(Math.abs((at(shift) - at(-shift)) / (2 * shift) - dValues![t]!), `${i} ${t}`).toBeLessThan(1e-8);
        expect(dLogprobs[t]).toBe(0);
        if (dValues![t] !== 0) numMoving++;
      }
    });
    expect(numMoving).toBeGreaterThan(4);
  });

  it("a value that has moved past the clip towards its return no longer pulls; away from it, it does", () => {
    // old 0, return 1: .8 lies beyond .5, whose error is larger; -.8 is pulled back
    expect(valueTerm(0.8, 0, 1, 0.5)).toEqual({ value: 0.125, dValue: 0, isClipped: true });
    expect(valueTerm(-0.8, 0, 1, 0.5).dValue).toBeCloseTo(-1.8, 12);
    expect(valueTerm(0.8, 0, 1, null).dValue).toBeCloseTo(-0.2, 12);
    expect(Number.isFinite(valueTerm(1e100, 0, 1, 0.5).value)).toBe(true);
  });
});

describe("imitation of positive answers", () => {
  const row = { logp: [-0.5, -1], old: [-0.5, -1], advantage: 0 };
  const lossOf = (spec: ObjectiveSpec, rewards: readonly number[]) => {
    const examples = rewards.map((reward) => exampleOf({ ...row, reward }));
    const objective = createObjective(spec);
    const batch = makeBatch(examples, 8, objective.positiveReward);
    return examples.map((example) => objective.loss(example, { logprobs: example.old.logprobs }, batch).loss);
  };

  it("is the mean negative log-likelihood over the step's positive tokens, times its weight", () => {
    // two positive answers of two tokens each, 1.5 nats together: .1 * 1.5 / 4 each
    expectClose(lossOf({ type: "vapo" }, [1, 0, 0.5]), [0.0375, 0, 0.0375]);
    expectClose(lossOf({ type: "vapo", positiveReward: 0.5 }, [1, 0, 0.5]), [0.075, 0, 0]);
    expectClose(lossOf({ type: "vapo", positiveNll: 0 }, [1, 0, 0.5]), [0, 0, 0]);
  });

  it("a step without a positive answer has none, and no NaN", () => {
    expect(lossOf({ type: "vapo" }, [0, -1])).toEqual([0, 0]);
  });
});

describe("VAPO's switches", () => {
  const resolved = (options: object) => objectiveSchema.parse({ type: "vapo", ...options });
  // With groupSize 1 in the rollout, the seven ablations of the paper's table.
  it.each<[string, object, string]>([
    ["value pretraining", { pretrainingSteps: 0 }, "pretrainingSteps"],
    ["decoupled GAE", { lambdaCritic: 0.95 }, "lambdaCritic"],
    ["length-adaptive GAE", { lengthAdaptiveAlpha: null }, "lengthAdaptiveAlpha"],
    ["clip-higher", { clipHigh: 0.2 }, "clipHigh"],
    ["token-level loss", { aggregation: "seq-mean-token-mean" }, "aggregation"],
    ["positive-example likelihood", { positiveNll: 0 }, "positiveNll"],
  ])("without %s the spec differs in that option alone", (_, options, name) => {
    const [full, without] = [resolved({}), resolved(options)] as Record<string, unknown>[];
    const differing = Object.keys(full!).filter((key) => JSON.stringify(full![key]) !== JSON.stringify(without![key]));
    expect(differing).toEqual([name]);
    expect(createObjective({ type: "vapo", ...options }).needs).toEqual(["values"]);
  });

  it("defaults are the paper's", () => {
    expect(resolved({})).toMatchObject({
      pretrainingSteps: 50,
      lambdaCritic: 1,
      lengthAdaptiveAlpha: 0.05,
      clipLow: 0.2,
      clipHigh: 0.28,
      aggregation: "token-mean",
      positiveNll: 0.1,
      kl: { coefficient: 0 },
    });
    expect(objectiveSchema.parse({ type: "orz" })).toMatchObject({ gamma: 1, lambda: 1, clipHigh: 0.2, whiten: true });
    expect(objectiveSchema.parse({ type: "vc-ppo" })).toMatchObject({ lambdaActor: 0.95, lambdaCritic: 1 });
  });

  it("says what it minimises, with its numbers", () => {
    const lines = createObjective({ type: "vapo" }).formula.map(
      ({ symbol, expression }) => `${symbol} = ${expression}`,
    );
    expect(lines).toEqual([
      "R_t = reward_i on the last token, else 0",
      "d_t = R_t + V_{t+1} - V_t",
      "A_t = d_t + max(0, 1 - 1/(0.05 l)) A_{t+1}",
      "A_t = (A_t - mean(A)) / sqrt(var(A) + 1e-8) over all trained tokens of the rollout batch",
      "r_t = exp(logp_t - old_t)",
      "l_t = max(-A_t r_t, -A_t clip(r_t, 0.8, 1.28))",
      "L = 1/N sum_i sum_t w_t l_t + 0.1/N+ sum_{i: reward_i > 0} sum_t w_t (-logp_t)",
      "G_t = V_t + A_t with lambda 1, before whitening",
      "Lv = 1/N sum_i sum_t 1/2 max((V_t - G_t)^2, (clip(V_t, Vold_t - 0.5, Vold_t + 0.5) - G_t)^2)",
    ]);
  });
});

it("a divergence in the reward stands in the formula with its own estimator", () => {
  const lines = createObjective({ type: "ppo", kl: { coefficient: 0.05, estimator: "k3" } }).formula;
  expect(lines.slice(0, 2).map(({ symbol, expression }) => `${symbol} = ${expression}`)).toEqual([
    "k_t = exp(ref_t - old_t) - (ref_t - old_t) - 1",
    "R_t = reward_i on the last token, else 0, less 0.05 k_t",
  ]);
});

it("an example without trained tokens has neither loss nor gradient", () => {
  const empty: Example = {
    sequence: sequenceOf(0),
    group: 0,
    reward: 1,
    advantages: new Float32Array(1),
    weights: new Float32Array(1),
    returns: new Float32Array(1),
    old: { logprobs: new Float32Array(1), values: new Float32Array(1) },
  };
  const other = exampleOf({ logp: [-1], old: [-1], advantage: 1, reward: 1 });
  const batch = makeBatch([empty, other], 8, 0);
  for (const type of TYPES) {
    const objective = createObjective({ type });
    expect(objective.loss(empty, empty.old, batch).loss).toBe(0);
    expect(objective.critic!.loss(empty, empty.old, batch).loss).toBe(0);
  }
});
