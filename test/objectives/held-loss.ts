/**
 * Losses that hold a weight c_t constant, restated from their formulas: L = sum_t (-w_t A_t c_t logp_t + penalties) / denominator, with
 * c_t taken at `held` and the rest at `outputs`. Plain code, apart from ours but for denominators and the KL.
 */
import type { ObjectiveSpec } from "../../src/objectives/create.ts";
import { type Aggregation, aggregations, countTrained, denominatorOf } from "../../src/objectives/terms/aggregation.ts";
import { klEstimate } from "../../src/objectives/terms/kl.ts";
import type { Example, Floats } from "../../src/types.ts";
import type { GradientCase } from "./variants.ts";

interface Held {
  readonly type: ObjectiveSpec["type"];
  readonly options: object;
  /** [L] c_t */
  readonly weights: (example: Example, held: Floats) => number[];
  /** Weight and anchor of (log r)^2. */
  readonly drift?: { readonly weight: number; readonly anchor: "old" | "sampling" };
}

/** Every aggregation without a divergence and with one, of each of these. */
export function heldCases(variants: readonly Held[]): GradientCase[] {
  return variants.flatMap((variant) =>
    aggregations.flatMap((aggregation) => [0, 0.3].map((beta) => caseOf(variant, aggregation, beta))),
  );
}

function caseOf({ type, options, weights, drift }: Held, aggregation: Aggregation, beta: number): GradientCase {
  const kl = { coefficient: beta, estimator: "k2", placement: "loss" } as const;
  return {
    spec: { type, aggregation, kl, ...options } as ObjectiveSpec,
    heldLoss: (example, outputs, held, batch) => {
      const { lossMask } = example.sequence;
      const c = weights(example, held.logprobs);
      const denominator = denominatorOf(aggregation, example, countTrained(lossMask), batch);
      let loss = 0;
      trained(example).forEach((t) => {
        const logp = outputs.logprobs[t]!;
        loss -= (example.weights[t]! * example.advantages[t]! * c[t]! * logp) / denominator;
        if (beta > 0) loss += (beta * klEstimate("k2", logp, example.ref!.logprobs[t]!).value) / denominator;
        if (drift !== undefined)
          loss += (drift.weight * (logp - anchorOf(example, drift.anchor)[t]!) ** 2) / denominator;
      });
      return loss;
    },
  };
}

function trained({ sequence: { lossMask } }: Example): number[] {
  return [...lossMask.keys()].filter((t) => lossMask[t] === 1);
}

function anchorOf({ old, sequence }: Example, anchor: "old" | "sampling"): Floats {
  return anchor === "old" ? old.logprobs : sequence.samplingLogprobs;
}

/** CISPO: the ratio, held between two numbers. */
export function clippedRatio(anchor: "old" | "sampling", low: number, high: number): Held["weights"] {
  return (example, held) =>
    Array.from(held, (logp, t) => Math.min(Math.max(Math.exp(logp - anchorOf(example, anchor)[t]!), low), high));
}

/** VESPO: e^lambda W^k e^(-lambda W), published numbers. */
export function gammaOfProduct(mismatch: boolean): Held["weights"] {
  return (example, held) => {
    const anchor = anchorOf(example, mismatch ? "sampling" : "old");
    const product = trained(example).reduce((w, t) => w * Math.exp(held[t]! - anchor[t]!), 1);
    return Array.from(held, (_, t) => {
      const [k, lambda] = example.advantages[t]! >= 0 ? [2, 3] : [3, 2];
      return Math.exp(lambda) * product ** k * Math.exp(-lambda * product);
    });
  };
}

/** DPPO: min(r, cap), or 0 where the token moved as it was pushed by more than the threshold. */
export function inRegion(
  anchor: "old" | "sampling",
  distance: (p: number, q: number) => number,
  threshold: number,
  cap = Number.POSITIVE_INFINITY,
): Held["weights"] {
  return (example, held) =>
    Array.from(held, (logp, t) => {
      const [p, q] = [Math.exp(logp), Math.exp(anchorOf(example, anchor)[t]!)];
      const isPushed = (p - q) * example.advantages[t]! > 0;
      return isPushed && distance(p, q) > threshold ? 0 : Math.min(p / q, cap);
    });
}

export const totalVariation = (p: number, q: number) => Math.abs(p - q);
export const binaryKl = (p: number, q: number) => q * Math.log(q / p) + (1 - q) * Math.log((1 - q) / (1 - p));

/** IPO: r, or 0 where |p - q| is above the threshold. */
export function nearAnchor(threshold: number): Held["weights"] {
  return (example, held) =>
    Array.from(held, (logp, t) => {
      const [p, q] = [Math.exp(logp), Math.exp(example.sequence.samplingLogprobs[t]!)];
      return Math.abs(p - q) > threshold ? 0 : p / q;
    });
}

/** TOPR: 1, or at most 1 where the advantage is negative. */
export function tapered(anchor: "old" | "sampling", isOfAnswer: boolean): Held["weights"] {
  return (example, held) => {
    const ratios = Array.from(held, (logp, t) => Math.exp(logp - anchorOf(example, anchor)[t]!));
    const product = trained(example).reduce((w, t) => w * ratios[t]!, 1);
    return ratios.map((ratio, t) => (example.advantages[t]! < 0 ? Math.min(isOfAnswer ? product : ratio, 1) : 1));
  };
}
