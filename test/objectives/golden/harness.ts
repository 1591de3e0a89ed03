/** One golden row against our objective: the same batch through `createObjective`, loss and every token's gradient. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { z } from "zod";
import { makeBatch } from "../../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../../src/objectives/create.ts";
import { correctionOption, tokenWeights } from "../../../src/objectives/terms/off-policy.ts";
import type { Example } from "../../../src/types.ts";
import { exampleOf, outputsOf, type Row, stepOf } from "../fixtures.ts";

interface Golden {
  readonly batch: {
    readonly mask: number[][];
    readonly logp: number[][];
    readonly old: number[][];
    readonly rollout: number[][];
    readonly ref: number[][];
    readonly adv: number[];
    readonly max_len: number;
  };
  readonly loss: Record<string, { readonly loss: number; readonly grad?: number[][] }>;
  readonly adv: {
    readonly rewards: number[];
    readonly groups: string[];
    readonly mask: number[][];
    readonly values: number[][];
    readonly out: Record<string, number[][]>;
  };
  readonly value: {
    readonly vpred: number[][];
    readonly vold: number[][];
    readonly ret: number[][];
    readonly clip: number;
  };
}

export const golden: Golden = JSON.parse(
  readFileSync(new URL("../../golden/objectives.json", import.meta.url), "utf8"),
);
export const TOLERANCE = 1e-6;

/** How a golden row is said with our objectives. */
export interface Setting {
  readonly spec: ObjectiveSpec;
  /** Between the server's and the trainer's log-probabilities, as a recipe says it. */
  readonly correction?: z.input<typeof correctionOption>;
  /** Sequences left out of the loss and of its denominators. */
  readonly without?: readonly number[];
  /** Sequences of each micro-batch where the trainer divides by micro-batches and averages; we only do so to show the harm. */
  readonly microBatches?: readonly (readonly number[])[];
  readonly advantages?: "zero";
  /** Prompt of each sequence; default: one prompt. */
  readonly groups?: readonly number[];
}

function rowOf(index: number, { advantages, groups }: Setting): Row {
  const { mask, logp, old, rollout, ref, adv } = golden.batch;
  const length = mask[index]!.reduce((a, b) => a + b);
  return {
    logp: logp[index]!.slice(0, length),
    old: old[index]!.slice(0, length),
    sampling: rollout[index]!.slice(0, length),
    ref: ref[index]!.slice(0, length),
    advantage: advantages === "zero" ? 0 : adv[index]!,
    // The rewards behind the advantages are not given; their signs are.
    reward: Math.sign(adv[index]!),
    group: groups?.[index] ?? 0,
  };
}

function corrected(example: Example, { correction }: Setting): Example {
  if (correction === undefined) return example;
  return { ...example, weights: tokenWeights(example, example.old.logprobs, correctionOption.parse(correction)) };
}

export function checkLoss(name: string, setting: Setting): void {
  const expected = golden.loss[name]!;
  const expectedGradient = expected.grad!;
  const indices = [0, 1, 2, 3].filter((index) => !setting.without?.includes(index));
  const parts = setting.microBatches ?? [indices];
  let loss = 0;
  const gradient = expectedGradient.map((row) => row.map(() => 0));
  for (const part of parts) {
    const rows = part.map((index) => rowOf(index, setting));
    const objective = createObjective(setting.spec);
    const outputs = rows.map(outputsOf);
    const plain = rows.map((row) => corrected(exampleOf(row), setting));
    const examples = objective.prepare?.(plain, outputs, () => 0) ?? plain;
    const batch = makeBatch(examples, golden.batch.max_len, objective.positiveReward);
    const step = stepOf(setting.spec, batch, outputs);
    loss += step.loss / parts.length;
    part.forEach((index, i) => {
      step.gradient[i]!.slice(1).forEach((value, t) => {
        gradient[index]![t] = value / parts.length;
      });
    });
  }
  expect(Math.abs(loss - expected.loss)).toBeLessThan(TOLERANCE);
  const errors = expectedGradient.flatMap((row, i) => row.map((value, t) => Math.abs(value - gradient[i]![t]!)));
  expect(errors).toHaveLength(20);
  expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
}
