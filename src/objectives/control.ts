/**
 * Coefficients that follow what they act on, moved once per rollout batch by what its update measured.
 *
 *   c    <- clip(c +- step, min, max)                       + where H < target; the bonus acts where H <= target        Skywork-OR1
 *   beta <- beta (1 + clip(KL / target - 1, -.2, .2) n / horizon)               Ziegler et al., arXiv 1909.08593
 *
 * H: mean entropy per token. KL: mean divergence per token by the objective's estimator. n: completions of the batch. Where nothing was
 * measured, nothing moves.
 */
import { clamp } from "../math/statistics.ts";
import type { ResolvedObjectiveSpec } from "./create.ts";
import type { AdaptiveEntropy } from "./terms/entropy.ts";
import type { AdaptiveKl } from "./terms/kl.ts";

/** What the controllers remember, as a checkpoint keeps it; null where the recipe's own coefficient still stands. */
export interface Controls {
  readonly entropy: EntropyControl | null;
  /** Beta. */
  readonly klCoefficient: number | null;
}

export interface EntropyControl {
  readonly coefficient: number;
  /** Whether the bonus acts on the next batch. */
  readonly acts: boolean;
}

export const noControls: Controls = { entropy: null, klCoefficient: null };

/** What an update measured; undefined where it did not. */
export interface Measurement {
  /** nats per token */
  readonly entropy: number | undefined;
  /** nats per token */
  readonly kl: number | undefined;
  readonly numCompletions: number;
}

/** The objective of the next batch, with its coefficients as they stand now; `spec` itself where none has moved. */
export function controlledSpec(spec: ResolvedObjectiveSpec, controls: Controls): ResolvedObjectiveSpec {
  const { entropy, kl } = spec;
  const { entropy: control, klCoefficient } = controls;
  const withKl = klCoefficient === null ? spec : { ...spec, kl: { ...kl, coefficient: klCoefficient } };
  if (entropy === undefined || control === null) return withKl;
  return { ...withKl, entropy: { ...entropy, coefficient: control.acts ? control.coefficient : 0 } };
}

/** The controls after a batch. */
export function nextControls(spec: ResolvedObjectiveSpec, controls: Controls, measured: Measurement): Controls {
  const { entropy, kl } = spec;
  const isEntropyKnown = measured.entropy !== undefined && Number.isFinite(measured.entropy);
  const isKlKnown = measured.kl !== undefined && Number.isFinite(measured.kl);
  return {
    entropy:
      entropy?.adaptive === undefined || !isEntropyKnown
        ? controls.entropy
        : nextEntropy(controls.entropy?.coefficient ?? entropy.coefficient, measured.entropy!, entropy.adaptive),
    klCoefficient:
      kl.adaptive === undefined || !isKlKnown
        ? controls.klCoefficient
        : nextKlCoefficient(
            controls.klCoefficient ?? kl.coefficient,
            measured.kl!,
            measured.numCompletions,
            kl.adaptive,
          ),
  };
}

export function nextEntropy(
  coefficient: number,
  entropy: number,
  { target, step, min, max }: AdaptiveEntropy,
): EntropyControl {
  const moved = entropy < target ? coefficient + step : coefficient - step;
  return { coefficient: clamp(moved, min, max), acts: entropy <= target };
}

export function nextKlCoefficient(
  coefficient: number,
  kl: number,
  numCompletions: number,
  { target, horizon }: AdaptiveKl,
): number {
  return coefficient * (1 + (clamp(kl / target - 1, -0.2, 0.2) * numCompletions) / horizon);
}

/** kl_coef and entropy_coef as they acted on the batch; left out where the recipe asks for neither. */
export function coefficientMetrics({ entropy, kl }: ResolvedObjectiveSpec): Record<string, number> {
  return {
    ...(kl.coefficient === 0 ? {} : { kl_coef: kl.coefficient }),
    ...(entropy === undefined || (entropy.coefficient === 0 && entropy.adaptive === undefined)
      ? {}
      : { entropy_coef: entropy.coefficient }),
  };
}
