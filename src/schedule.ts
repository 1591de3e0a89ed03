/** The numbers of every optimizer step: AdamW's, and the learning rate that its schedule says. */
import type { AdamParams } from "./engine/engine.ts";
import type { OptimizerSpec } from "./recipe/schema.ts";

/** AdamW's numbers for one step at this rate. */
export function adamParams(optimizer: OptimizerSpec, learningRate: number): AdamParams {
  const { beta1, beta2, eps, weightDecay, maxGradNorm } = optimizer;
  return { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm };
}

export interface ScheduleOptions {
  readonly learningRate: number;
  readonly schedule: "constant" | "linear" | "cosine";
  /** Where linear and cosine end, as a share of learningRate. */
  readonly minLearningRateRatio: number;
  /** Optimizer steps over which the rate rises linearly from 0. */
  readonly warmupSteps: number;
}

/**
 * The rate after `step` of `totalSteps` optimizer steps. With w = warmupSteps, p = (step - w) / (totalSteps - w), m = minLearningRateRatio:
 *
 *   step < w:  peak step / w          linear: peak (m + (1 - m) (1 - p))          cosine: peak (m + (1 - m) (1 + cos(pi p)) / 2)
 *
 * As `get_linear_schedule_with_warmup` and `get_cosine_with_min_lr_schedule_with_warmup` of Hugging Face transformers.
 */
export function learningRateAt(
  step: number,
  totalSteps: number,
  { learningRate, schedule, minLearningRateRatio, warmupSteps }: ScheduleOptions,
): number {
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  switch (schedule) {
    case "constant":
      return learningRate;
    case "linear":
      return learningRate * (minLearningRateRatio + (1 - minLearningRateRatio) * (1 - progress));
    case "cosine":
      return (
        learningRate * (minLearningRateRatio + (1 - minLearningRateRatio) * 0.5 * (1 + Math.cos(Math.PI * progress)))
      );
    default:
      throw new Error(`unknown schedule ${schedule satisfies never}`);
  }
}
