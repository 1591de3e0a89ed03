/** Coefficients that follow entropy and divergence. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import {
  coefficientMetrics,
  controlledSpec,
  nextControls,
  nextEntropy,
  nextKlCoefficient,
  noControls,
} from "../../src/objectives/control.ts";
import { createObjective, objectiveSchema } from "../../src/objectives/create.ts";
import { exampleOf, outputsOf, stepOf, withPrompt } from "./fixtures.ts";

const adaptive = { target: 0.2, step: 1e-4, min: 0, max: 0.005 };

describe("the entropy coefficient", () => {
  it("of Skywork-OR1: target .2, step 1e-4, from 0", () => {
    let coefficient = 0;
    const steps = [0.15, 0.18, 0.25, 0.21, 0.19].map((entropy) => {
      const next = nextEntropy(coefficient, entropy, adaptive);
      coefficient = next.coefficient;
      return next;
    });
    expect(steps.map((next) => next.coefficient)).toEqual(
      [1e-4, 2e-4, 1e-4, 0, 1e-4].map((c) => expect.closeTo(c, 12)),
    );
    expect(steps.map((next) => next.acts)).toEqual([true, true, false, false, true]);
  });

  it("stays within its bounds", () => {
    expect(nextEntropy(0.005, 0.1, adaptive).coefficient).toBe(0.005);
    expect(nextEntropy(0, 0.3, adaptive).coefficient).toBe(0);
    expect(nextEntropy(0.001, 0.3, { ...adaptive, min: 0.001 }).coefficient).toBe(0.001);
  });

  it("at the target acts and falls", () => {
    expect(nextEntropy(0.001, 0.2, adaptive)).toEqual({ coefficient: expect.closeTo(0.0009, 12), acts: true });
  });
});

describe("the KL coefficient", () => {
  it("moves by the relative error, at most a fifth, over the horizon", () => {
    const control = { target: 0.1, horizon: 10_000 };
    expect(nextKlCoefficient(0.2, 0.11, 1000, control)).toBeCloseTo(0.2 * 1.01, 12);
    expect(nextKlCoefficient(0.2, 5, 1000, control)).toBeCloseTo(0.2 * 1.02, 12);
    expect(nextKlCoefficient(0.2, -1, 1000, control)).toBeCloseTo(0.2 * 0.98, 12);
    expect(nextKlCoefficient(0.2, 0.1, 1000, control)).toBeCloseTo(0.2, 12);
  });

  it("needs something to multiply", () => {
    expect(() => createObjective({ type: "dapo", kl: { adaptive: { target: 0.1 } } })).toThrow(
      "kl.coefficient: expected a coefficient above 0",
    );
  });
});

describe("a controlled recipe", () => {
  const spec = objectiveSchema.parse({
    type: "grpo",
    kl: { coefficient: 0.1, placement: "reward", estimator: "k1", adaptive: { target: 0.1, horizon: 100 } },
    entropy: { coefficient: 0.002, adaptive: { target: 0.2 } },
  });
  const measured = { entropy: 0.1, kl: 0.2, numCompletions: 10 };

  it("begins with its own coefficients, and moves both", () => {
    expect(controlledSpec(spec, noControls)).toEqual(spec);
    const controls = nextControls(spec, noControls, measured);
    expect(controls).toEqual({
      entropy: { coefficient: expect.closeTo(0.0021, 12), acts: true },
      klCoefficient: expect.closeTo(0.102, 12),
    });
    expect(coefficientMetrics(controlledSpec(spec, controls))).toEqual({
      entropy_coef: expect.closeTo(0.0021, 12),
      kl_coef: expect.closeTo(0.102, 12),
    });
  });

  it("keeps the coefficient while the entropy is above its target, and lets it act no more", () => {
    const controls = nextControls(spec, noControls, { ...measured, entropy: 0.3 });
    expect(controls.entropy).toEqual({ coefficient: expect.closeTo(0.0019, 12), acts: false });
    expect(coefficientMetrics(controlledSpec(spec, controls))).toMatchObject({ entropy_coef: 0 });
    // and asks for the same of the loop, so that the entropy of every token is measured
    expect(createObjective(controlledSpec(spec, controls)).needs).toEqual(createObjective(spec).needs);
  });

  it("moves nothing that was not measured, and nothing that is not adaptive", () => {
    const controls = nextControls(spec, noControls, measured);
    expect(nextControls(spec, controls, { entropy: undefined, kl: Number.NaN, numCompletions: 10 })).toEqual(controls);
    const fixed = objectiveSchema.parse({ type: "grpo", entropy: { coefficient: 0.01 } });
    expect(nextControls(fixed, noControls, measured)).toEqual(noControls);
    expect(coefficientMetrics(objectiveSchema.parse({ type: "dapo" }))).toEqual({});
  });

  it("the moved coefficient is the one in the loss", () => {
    const row = { logp: [-1], old: [-1], ref: [-2], advantage: 0 };
    const inLoss = objectiveSchema.parse({
      type: "dapo",
      kl: { coefficient: 0.1, estimator: "k1", adaptive: { target: 1 } },
      entropy: { adaptive: { target: 1 } },
    });
    const controls = { entropy: { coefficient: 0.5, acts: true }, klCoefficient: 0.3 };
    const batch = makeBatch([exampleOf(row)], 8);
    const { loss } = stepOf(controlledSpec(inLoss, controls), batch, [
      { ...outputsOf(row), entropies: withPrompt([2]) },
    ]);
    expect(loss).toBeCloseTo(0.3 * 1 - 0.5 * 2, 12);
  });
});
