/** What holds for any rewards and any batch. fast-check prints the seed of a failure; SEED=n repeats it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { Example } from "../../src/types.ts";
import { advantagesOf, exampleOf, outputsOf, type Row } from "./fixtures.ts";
import { variants, withoutKl } from "./variants.ts";

const seed = process.env["SEED"] === undefined ? Date.now() % 2 ** 31 : Number(process.env["SEED"]);
console.info(`properties run with SEED=${seed}`);
const check = (property: fc.IRawProperty<unknown>, numRuns = 200) => fc.assert(property, { seed, numRuns });

const noKl = { kl: { coefficient: 0 } } as const;
/** Those that lay one number on all tokens of an answer, and compare it with its siblings alone. */
const relative = variants.filter(({ isRelative }) => isRelative).map(({ type }) => withoutKl(type));
/** Those whose advantages need no other model and no other sample. */
const spec = fc.constantFrom<ObjectiveSpec>({ type: "reinforce" }, ...relative);

// thousandths, not any double: advantages are float32, which has no room for rewards that differ by 1e-50
const reward = fc.integer({ min: -3000, max: 3000 }).map((thousandths) => thousandths / 1000);
const rewards = fc.array(reward, { minLength: 2, maxLength: 16 });

describe("advantages of any group", () => {
  it("equal rewards give exactly 0, whatever their value", () => {
    check(
      fc.property(fc.constantFrom(...relative), reward, fc.integer({ min: 2, max: 16 }), (variant, value, size) => {
        for (const advantage of advantagesOf(variant, new Array<number>(size).fill(value))) expect(advantage).toBe(0);
      }),
    );
  });

  it("are permuted with the group, up to the order in which float64 adds", () => {
    const shuffledRewards = rewards.chain((values) =>
      fc.tuple(fc.constant(values), fc.shuffledSubarray([...values.keys()], { minLength: values.length })),
    );
    check(
      fc.property(spec, shuffledRewards, (variant, [values, order]) => {
        const advantages = advantagesOf(variant, values);
        const permuted = advantagesOf(
          variant,
          order.map((i) => values[i]!),
        );
        order.forEach((from, to) => {
          expect(Math.abs(permuted[to]! - advantages[from]!)).toBeLessThan(1e-5 * (1 + Math.abs(advantages[from]!)));
        });
      }),
    );
  });

  it("sum to 0 where siblings are compared, and order answers as their rewards do", () => {
    check(
      fc.property(fc.constantFrom(...relative), rewards, (variant, values) => {
        const advantages = advantagesOf(variant, values);
        const size = advantages.reduce((sum, advantage) => sum + Math.abs(advantage), 0);
        expect(Math.abs(advantages.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(1e-6 * size);
        for (let i = 1; i < values.length; i++) {
          if (values[i]! > values[i - 1]!) expect(advantages[i]!).toBeGreaterThanOrEqual(advantages[i - 1]!);
        }
      }),
    );
  });

  it("do not change when a constant is added to every reward", () => {
    const dyadic = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 2, maxLength: 16 });
    check(
      fc.property(fc.constantFrom(...relative), dyadic, fc.integer({ min: -4, max: 4 }), (variant, values, shift) => {
        const before = advantagesOf(variant, values);
        const after = advantagesOf(
          variant,
          values.map((value) => value + shift),
        );
        before.forEach((advantage, i) => {
          expect(after[i]!).toBeCloseTo(advantage, 5);
        });
      }),
    );
  });

  it("RLOO is G / (G - 1) times Dr. GRPO", () => {
    check(
      fc.property(rewards, (values) => {
        const loo = advantagesOf({ type: "rloo", ...noKl }, values);
        const centered = advantagesOf({ type: "drgrpo" }, values);
        loo.forEach((advantage, i) => {
          const expected = (centered[i]! * values.length) / (values.length - 1);
          expect(Math.abs(advantage - expected)).toBeLessThanOrEqual(1e-6 * Math.abs(expected));
        });
      }),
    );
  });
});

describe("the loss of any batch", () => {
  const logprob = fc.double({ min: -4, max: -0.01, noNaN: true });
  const row: fc.Arbitrary<Row> = fc.integer({ min: 1, max: 12 }).chain((length) => {
    const logprobs = fc.array(logprob, { minLength: length, maxLength: length });
    return fc.record({
      logp: logprobs,
      old: logprobs,
      ref: logprobs,
      advantage: fc.double({ min: -2, max: 2, noNaN: true }),
    });
  });
  const variant = fc.constantFrom(...variants.flatMap(({ gradientCases }) => gradientCases.map((one) => one.spec)));

  it("is the sum over its examples, in any order and any split, bit for bit per example", () => {
    check(
      fc.property(variant, fc.array(row, { minLength: 2, maxLength: 8 }), fc.nat(), (chosen, rows, cut) => {
        const objective = createObjective(chosen);
        const batch = makeBatch(rows.map(exampleOf), 16);
        const whole = rows.map((one) => objective.loss(exampleOf(one), outputsOf(one), batch));
        // micro-batches see fewer examples, and all they know of the step are its constants
        const at = cut % rows.length;
        const parts: Example[][] = [batch.examples.slice(at), batch.examples.slice(0, at)];
        const split = parts.flatMap((examples, part) =>
          examples.map((example, i) =>
            objective.loss(example, outputsOf(rows[part === 0 ? at + i : i]!), { ...batch, examples }),
          ),
        );
        const inOrder = [...split.slice(rows.length - at), ...split.slice(0, rows.length - at)];
        expect(inOrder.map(({ loss }) => loss)).toEqual(whole.map(({ loss }) => loss));
        expect(inOrder.map(({ gradient }) => gradient)).toEqual(whole.map(({ gradient }) => gradient));
      }),
    );
  });

  it("copying every example leaves loss per step unchanged and halves each gradient", () => {
    check(
      fc.property(variant, fc.array(row, { minLength: 1, maxLength: 6 }), (chosen, rows) => {
        const objective = createObjective(chosen);
        const once = makeBatch(rows.map(exampleOf), 16);
        const twice = makeBatch([...rows, ...rows].map(exampleOf), 16);
        for (const one of rows) {
          const a = objective.loss(exampleOf(one), outputsOf(one), once);
          const b = objective.loss(exampleOf(one), outputsOf(one), twice);
          expect(b.loss).toBeCloseTo(a.loss / 2, 12);
          b.gradient.dLogprobs.forEach((value, t) => {
            expect(value).toBeCloseTo(a.gradient.dLogprobs[t]! / 2, 5);
          });
        }
      }),
    );
  });

  it("an untrained token changes nothing, whatever its numbers are", () => {
    check(
      fc.property(variant, row, fc.double(), (chosen, one, junk) => {
        const objective = createObjective(chosen);
        const clean = exampleOf(one);
        const batch = makeBatch([clean], 16);
        const dirty = (values: ArrayLike<number>) => Float64Array.from(values, (value, t) => (t === 0 ? junk : value));
        const example: Example = {
          ...clean,
          old: { logprobs: dirty(clean.old.logprobs) },
          ref: { logprobs: dirty(clean.ref!.logprobs) },
          advantages: Float32Array.from(dirty(clean.advantages)),
        };
        const result = objective.loss(example, { logprobs: dirty(outputsOf(one).logprobs) }, batch);
        expect(result).toEqual(objective.loss(clean, outputsOf(one), batch));
      }),
    );
  });
});
