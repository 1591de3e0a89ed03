/**
 * Entropy of the policy in any objective: a bonus for it, and the tokens that decide where it is high.
 *
 *   L    = L - coefficient H                H: the entropies H_t under the objective's own aggregation
 *   w_t  = 0 where H_t is under the (1 - topQuantile) quantile of the optimizer step's tokens
 *
 * The first as in PPO, arXiv 1707.06347, eq. 9. The second is the 80/20 rule, TRL's `top_entropy_quantile` (published 0.2): only the
 * tokens at which an answer forks pull. It is no part of the divergence and changes no denominator; entropies are those of the policy
 * before the step.
 *
 * With `adaptive` (Skywork-OR1) the coefficient moves by `step` after every rollout batch, up where the mean entropy is under the
 * target and else down, within [min, max], and acts only while the entropy is not above the target. Departure: the entropy that
 * decides is that of the batch before, so that on-policy steps need no second forward pass.
 */
import { z } from "zod";
import { quantile } from "../../math/statistics.ts";
import type { Example, SequenceLoss, TokenOutputs } from "../../types.ts";
import type { Formula, Objective, OptionalInput } from "../objective.ts";
import { type Aggregation, aggregationFormula, countTrained, denominatorOf } from "./aggregation.ts";

const adaptiveEntropy = z
  .strictObject({
    target: z.number().positive().describe("Mean entropy per token to hold; nats. Skywork-OR1: 0.2."),
    step: z.number().positive().default(1e-4).describe("How far the coefficient moves per rollout batch."),
    min: z.number().min(0).default(0).describe("Smallest coefficient."),
    max: z.number().positive().default(0.005).describe("Largest coefficient."),
  })
  .refine(({ min, max }) => min <= max, { path: ["min"], message: "expected min to be at most max" })
  .describe("Moves the coefficient towards a target entropy; numbers are Skywork-OR1's, TRL's step is 0.005 up to 1.");
export type AdaptiveEntropy = z.output<typeof adaptiveEntropy>;

/** The option block that every objective has beside its own. */
export const entropyOption = z
  .strictObject({
    coefficient: z
      .number()
      .min(0)
      .default(0)
      .describe("Weight of the mean entropy that is taken off the loss; per nat, from 0 up. Where adaptive begins."),
    topQuantile: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe("Share of the step's tokens, those of highest entropy, that pull; 1 = all. The 80/20 rule: 0.2."),
    adaptive: adaptiveEntropy.optional(),
  })
  .optional()
  .describe("What is done for the policy's entropy; default: nothing.");
export type Entropy = NonNullable<z.output<typeof entropyOption>>;

/** The variant's schema with the shared option block. */
export function withEntropyOption<Shape extends z.core.$ZodLooseShape, Config extends z.core.$ZodObjectConfig>(
  variant: z.ZodObject<Shape, Config>,
) {
  return variant.extend({ entropy: entropyOption }).describe(variant.description ?? "");
}

/** The objective with the terms that `entropy` asks for; the same without any. `aggregation` is the objective's own. */
export function withEntropy(
  objective: Objective,
  { coefficient, topQuantile, adaptive }: Entropy,
  aggregation: Aggregation,
): Objective {
  const hasBonus = coefficient > 0 || adaptive !== undefined;
  const hasMask = topQuantile < 1;
  const needs: OptionalInput[] = [
    ...(hasBonus ? ["entropies" as const] : []),
    ...(hasMask ? ["stepOutputs" as const] : []),
  ];
  return {
    ...objective,
    needs: [...new Set([...objective.needs, ...needs])],
    formula: [
      ...objective.formula,
      ...(hasMask ? [maskFormula(topQuantile)] : []),
      ...(hasBonus ? [bonusFormula(coefficient, adaptive, aggregation)] : []),
    ],
    ...(hasMask
      ? {
          prepare: (examples, current, random) =>
            keepHighEntropy(objective.prepare?.(examples, current, random) ?? examples, current, topQuantile),
        }
      : {}),

    loss(example, outputs, batch) {
      const plain = objective.loss(example, outputs, batch);
      if (coefficient === 0) return plain;
      const numTokens = countTrained(example.sequence.lossMask);
      const denominator = denominatorOf(aggregation, example, numTokens, batch);
      return minusEntropy(plain, example, entropiesOf(objective.name, outputs), coefficient / denominator);
    },
  };
}

function minusEntropy(
  { loss, gradient, metrics }: SequenceLoss,
  { sequence: { lossMask } }: Example,
  entropies: ArrayLike<number>,
  weight: number,
): SequenceLoss {
  const dEntropies = new Float32Array(lossMask.length);
  let bonus = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    bonus += weight * entropies[t]!;
    dEntropies[t] = -weight;
  }
  return { loss: loss - bonus, gradient: { ...gradient, dEntropies }, metrics };
}

/** The examples with weight 0 on every token whose entropy is under the quantile; of equal entropies, all are kept. */
function keepHighEntropy(
  examples: readonly Example[],
  current: readonly TokenOutputs[],
  topQuantile: number,
): Example[] {
  const ofTokens = examples.map(({ sequence: { lossMask } }, i) =>
    Float64Array.from(entropiesOf("entropy.topQuantile", current[i]!)).filter((_, t) => lossMask[t] === 1),
  );
  const all = new Float64Array(ofTokens.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const entropies of ofTokens) {
    all.set(entropies, at);
    at += entropies.length;
  }
  if (all.length === 0) return [...examples];
  const threshold = quantile(all, 1 - topQuantile);
  return examples.map((example, i) => ({
    ...example,
    weights: example.weights.map((weight, t) => (current[i]!.entropies![t]! < threshold ? 0 : weight)),
  }));
}

function entropiesOf(who: string, { entropies }: TokenOutputs): ArrayLike<number> {
  if (entropies === undefined) throw new Error(`${who} needs entropies, and the outputs have none`);
  return entropies;
}

function maskFormula(topQuantile: number): Formula {
  const quantileName = Number((1 - topQuantile).toPrecision(12));
  return {
    symbol: "w_t",
    expression: `0 where H_t is under the ${quantileName} quantile of the step's tokens`,
    source: "the 80/20 rule; TRL's top_entropy_quantile",
  };
}

function bonusFormula(coefficient: number, adaptive: AdaptiveEntropy | undefined, aggregation: Aggregation): Formula {
  const bonus = `(${aggregationFormula(aggregation, "H_t").expression})`;
  if (adaptive === undefined) {
    return { symbol: "L", expression: `L - ${coefficient} ${bonus}`, source: "PPO, arXiv 1707.06347, eq. 9" };
  }
  const { target, step, min, max } = adaptive;
  return {
    symbol: "L",
    expression: `L - c ${bonus} while H <= ${target}; c = ${coefficient}, then +-${step} per batch towards it, in [${min}, ${max}]`,
    source: "Skywork-OR1",
  };
}
