/** Every derivative against central differences of the loss, for every variant with every option. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective } from "../../src/objectives/create.ts";
import type { Example, TokenOutputs } from "../../src/types.ts";
import { exampleOf, outputsOf, type Row } from "./fixtures.ts";
import { type GradientCase, variants } from "./variants.ts";

const STEP = 1e-5;
/** Differences err by STEP^2 f'''/6, about 1e-10 of the value; gradients are stored in float32, 6e-8. */
const TOLERANCE = 1e-6;

// Ratios from .5 to 6.7: below, inside and above every clip, and none within 100 STEPs of a kink (checked below).
const rows: Row[] = [
  {
    logp: [-0.5, -1.2, -0.4, -2, -0.1],
    old: [-0.53, -1.5, -0.1, -2.1, -0.08],
    sampling: [-0.6, -1.4, -0.2, -1.9, -0.5],
    ref: [-0.4, -1.4, -0.12, -2.3, -0.05],
    advantage: 1.2,
    reward: 1,
  },
  {
    logp: [-0.8, -0.45, -1.6, -1],
    old: [-1.05, -0.1, -3, -2.9],
    sampling: [-0.9, -0.2, -2.9, -2.5],
    ref: [-1.2, -0.35, -1.4, -1.9],
    advantage: -0.7,
  },
  {
    logp: [-1.1, -0.4, -0.9, -0.2],
    old: [-1.13, -0.9, -0.8, -0.45],
    sampling: [-1.5, -0.8, -0.9, -0.3],
    ref: [-1.3, -0.35, -1, -0.1],
    weights: [0.5, 1, 2, 1.4],
    advantage: 0.4,
    reward: 2,
  },
  {
    logp: [-0.6, -3, -2.2],
    old: [-0.35, -3.9, -2.25],
    sampling: [-0.3, -3.8, -2.5],
    ref: [-0.1, -3.5, -2.9],
    weights: [1, 0.3, 0],
    advantage: -1.5,
  },
  { logp: [-0.7, -0.3], old: [-0.75, -0.9], sampling: [-0.8, -0.7], ref: [-0.9, -0.1], advantage: 0 },
];

/** Of a loss that holds some factors constant, the value with those factors taken at `outputs` unshifted. */
function lossAt(
  { spec, heldLoss }: GradientCase,
  example: Example,
  outputs: TokenOutputs,
  position: number,
  shift: number,
): number {
  const logprobs = Float64Array.from(outputs.logprobs);
  logprobs[position]! += shift;
  if (heldLoss !== undefined) return heldLoss(example, { ...outputs, logprobs }, outputs, batch);
  return createObjective(spec).loss(example, { ...outputs, logprobs }, batch).loss;
}

const cases = variants.flatMap(({ gradientCases }) => gradientCases);
const examples = rows.map(exampleOf);
const batch = makeBatch(examples, 8, 0);

describe("gradients", () => {
  it("no ratio of the batch stands near a kink of any clip", () => {
    const kinks = [0.8, 0.9, 1.2, 1.28, 1.4, 1.5, 3, ...[-0.4, -0.15, 0.4, 1].map(Math.exp)];
    const ratios = rows.flatMap(({ logp, old }) => logp.map((value, t) => Math.exp(value - old[t]!)));
    for (const ratio of ratios) for (const kink of kinks) expect(Math.abs(ratio - kink)).toBeGreaterThan(100 * STEP);
    for (const { logp, ref } of rows) expect(logp.some((value, t) => value === ref![t])).toBe(false);
  });

  it("are the loss's, for every variant and option", () => {
    let numChecked = 0;
    let numNonZero = 0;
    for (const one of cases) {
      const { spec } = one;
      const objective = createObjective(spec);
      const outputsOfRows = rows.map(outputsOf);
      const prepared = objective.prepare?.(examples, outputsOfRows, () => 0) ?? examples;
      prepared.forEach((example, i) => {
        const outputs = outputsOfRows[i]!;
        const { gradient } = objective.loss(example, outputs, batch);
        for (let t = 0; t < example.sequence.lossMask.length; t++) {
          const numeric =
            (lossAt(one, example, outputs, t, STEP) - lossAt(one, example, outputs, t, -STEP)) / (2 * STEP);
          const analytic = gradient.dLogprobs[t]!;
          const error = Math.abs(numeric - analytic);
          expect(error, `${JSON.stringify(spec)} sequence ${i} token ${t}: ${numeric} and ${analytic}`).toBeLessThan(
            // where the loss does not move, cancellation in float64 leaves 1e-16 / STEP
            Math.max(TOLERANCE * Math.abs(analytic), 1e-10),
          );
          numChecked++;
          if (analytic !== 0) numNonZero++;
        }
      });
    }
    expect(numChecked).toBeGreaterThan(5000);
    expect(numNonZero, `of ${numChecked} derivatives only ${numNonZero} are not 0`).toBeGreaterThan(numChecked / 2);
  });

  it("by entropies and values are absent: nothing here depends on them", () => {
    for (const { spec } of cases) {
      const objective = createObjective(spec);
      const [example] = objective.prepare?.(examples, rows.map(outputsOf), () => 0) ?? examples;
      const { gradient } = objective.loss(example!, outputsOf(rows[0]!), batch);
      expect(Object.keys(gradient)).toEqual(["dLogprobs"]);
    }
  });
});
