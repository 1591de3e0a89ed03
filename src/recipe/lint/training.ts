/** Traps of the optimizer. */
import { countUpdates, type Finding, type Rule } from "./rule.ts";

/** Open-R1's demonstration, the largest of the recipes that we ship. */
const FULL_RATE = { max: 2e-5 };
const ADAPTER_RATE = { min: 4e-6, max: 1e-3 };

export const learningRate: Rule = {
  name: "learning-rate",
  source: "the defaults of other trainers: 1e-6 to 1e-5 for all weights, 1e-4 for an adapter (ms-swift); Open-R1: 2e-5",
  fix: "use 1e-6 for all weights, or 1e-5 to 1e-4 for an adapter",
  rl: ({ optimizer }, { recipe: { model } }) => {
    // Random weights learn at other rates.
    if (model.path === undefined) return null;
    const rate = optimizer.learningRate;
    const path = ["optimizer", "learningRate"];
    if (model.lora === undefined && rate > FULL_RATE.max)
      return { path, message: `${rate} for all weights of a pretrained model is more than the published RL runs take` };
    if (model.lora !== undefined && rate < ADAPTER_RATE.min)
      return { path, message: `${rate} is a rate for all weights: an adapter hardly moves` };
    if (model.lora !== undefined && rate > ADAPTER_RATE.max)
      return { path, message: `${rate} is far above what is usual for an adapter` };
    return null;
  },
};

export const warmupNeverEnds: Rule = {
  name: "warmup-never-ends",
  source: "this trainer: warm-up counts optimizer steps",
  fix: "lower warmupSteps",
  rl: (stage) => neverEnds(stage.optimizer.warmupSteps, countUpdates(stage)),
  sft: ({ optimizer, steps }) => (steps === undefined ? null : neverEnds(optimizer.warmupSteps, steps)),
};

function neverEnds(warmupSteps: number, total: number): Finding | null {
  if (warmupSteps < total) return null;
  return {
    path: ["optimizer", "warmupSteps"],
    message: `${warmupSteps} warm-up steps, but the stage has ${total} optimizer steps: the rate never reaches learningRate`,
  };
}
