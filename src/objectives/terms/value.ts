/**
 * What the critic is fitted to, and how far one batch may move it.
 *
 *   v_t = 1/2 max((V_t - G_t)^2, (clip(V_t, Vold_t - c, Vold_t + c) - G_t)^2)          G_t: the returns of gae.ts
 *   Lv  = 1/N sum_i sum_t v_t
 *
 * The clipped value loss of OpenAI's baselines as shipped in verl, OpenRLHF and TRL, which take c = 0.5, 0.5 and 0.2. Where the
 * clip binds, the token no longer pulls. N counts the whole optimizer step.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Batch, Example, SequenceLoss, TokenOutputs } from "../../types.ts";
import type { Critic, Formula } from "../objective.ts";
import { countTrained } from "./aggregation.ts";
import { type GaeOptions, generalizedAdvantages, returnsOf } from "./gae.ts";
import { stepTotal } from "./token-metrics.ts";

export function valueClipOption() {
  return z
    .number()
    .positive()
    .nullable()
    .default(0.5)
    .describe(
      "How far a value counts as moved by one rollout batch, in units of reward, above 0. 0.5 as in verl and OpenRLHF, 0.2 as in TRL. null = as far as it goes.",
    );
}

export function pretrainingOption(value: number) {
  return z
    .int()
    .nonnegative()
    .default(value)
    .describe("Steps at the start of the stage in which the critic alone learns and the policy stays as it is.");
}

export interface ValueTerm {
  readonly value: number;
  readonly dValue: number;
  readonly isClipped: boolean;
}

/** One token's value loss and its derivative by the value; `clip` null: plain squares. */
export function valueTerm(value: number, oldValue: number, target: number, clip: number | null): ValueTerm {
  const error = value - target;
  const clippedError = clip === null ? error : clamp(value, oldValue - clip, oldValue + clip) - target;
  const isClipped = clippedError ** 2 > error ** 2;
  return { value: (isClipped ? clippedError ** 2 : error ** 2) / 2, dValue: isClipped ? 0 : error, isClipped };
}

export interface CriticOptions extends GaeOptions {
  readonly valueClip: number | null;
  readonly pretrainingSteps: number;
}

/** The critic of an objective: returns by GAE with the critic's own lambda, and the clipped value loss. */
export function criticOf({ valueClip, pretrainingSteps, ...gae }: CriticOptions): Critic {
  return {
    pretrainingSteps,
    returns: (groups, old, ref) => returnsOf(groups, old, generalizedAdvantages(groups, old, ref, gae)),
    loss: (example, outputs, batch) => valueLoss(example, outputs, batch, valueClip),
  };
}

/** One sequence's share of Lv, with verl's metrics: vf_loss, vf_clipfrac (share of clipped tokens), vpred_mean. */
function valueLoss(
  { sequence: { lossMask }, returns, old }: Example,
  { values }: TokenOutputs,
  batch: Batch,
  clip: number | null,
): SequenceLoss {
  if (returns === undefined || values === undefined || old.values === undefined) {
    throw new Error("the value loss needs values, old values and returns");
  }
  const numTokens = countTrained(lossMask);
  const dValues = new Float32Array(lossMask.length);
  let loss = 0;
  let predicted = 0;
  let numClipped = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    const term = valueTerm(values[t]!, old.values[t]!, returns[t]!, clip);
    loss += term.value / batch.numTokens;
    dValues[t] = term.dValue / batch.numTokens;
    predicted += values[t]!;
    if (term.isClipped) numClipped++;
  }
  return {
    loss,
    gradient: { dLogprobs: new Float32Array(lossMask.length), dValues },
    metrics: {
      "critic/vf_loss": stepTotal(loss, numTokens, batch),
      "critic/vf_clipfrac": { sum: numClipped, count: numTokens },
      "critic/vpred_mean": { sum: predicted, count: numTokens },
    },
  };
}

/** The formula of the critic's loss; `lambda` as it shall be read. */
export function valueFormula(lambda: number, clip: number | null): Formula[] {
  const source = "value loss of OpenAI baselines, as in verl";
  const moved = `(clip(V_t, Vold_t - ${clip}, Vold_t + ${clip}) - G_t)^2`;
  const term = clip === null ? "1/2 (V_t - G_t)^2" : `1/2 max((V_t - G_t)^2, ${moved})`;
  return [
    { symbol: "G_t", expression: `V_t + A_t with lambda ${lambda}, before whitening`, source: "GAE, arXiv 1506.02438" },
    { symbol: "Lv", expression: `1/N sum_i sum_t ${term}`, source },
  ];
}
