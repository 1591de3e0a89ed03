/** The evaluation that a recipe is judged by, as a stage of its own. */
import type { EvalStage, RlStage, Stage } from "./schema.ts";

/** True of stages that measure: eval stages, and rl stages with held-out data. */
export function evaluates(stage: Stage): stage is EvalStage | RlStage {
  return stage.type === "eval" || (stage.type === "rl" && stage.eval !== undefined);
}

/** An eval stage as it stands; the held-out evaluation of an rl stage with what it takes from its stage filled in. */
export function asEvalStage(stage: EvalStage | RlStage): EvalStage {
  if (stage.type === "eval") return stage;
  const { eval: held, rollout, rewards, template } = stage;
  const { everySteps: _, ...evaluation } = held!;
  const overrides = Object.fromEntries(Object.entries(evaluation.sampling).filter(([, value]) => value !== undefined));
  return {
    ...evaluation,
    type: "eval",
    template,
    rewards: evaluation.rewards ?? rewards,
    sampling: { ...rollout.sampling, ...overrides },
  };
}
