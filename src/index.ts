/** What a program that uses Grouper as a library calls: recipes in, runs out, and each of the parts on its own. */
export { type DataRow, type Dataset, openDataset } from "./dataset/dataset.ts";
export { type Prompts, promptsOf } from "./dataset/prompts.ts";
export {
  type AdamParams,
  type Engine,
  EngineError,
  type EngineInfo,
  type LossFunction,
  type SampleRequest,
  type SampleResult,
  type SamplingParams,
} from "./engine/engine.ts";
export { type NativeEngine, type NativeEngineOptions, openNativeEngine } from "./engine/native.ts";
export { RecipeError, UsageError } from "./errors.ts";
export { type EvaluateOptions, type Evaluation, type EvaluationItem, evaluate } from "./evaluate.ts";
export { createObjective, type ObjectiveSpec } from "./objectives/create.ts";
export type { Objective, OptionalInput } from "./objectives/objective.ts";
export { type PipelineOptions, type PipelineResult, runPipeline } from "./pipeline.ts";
export { type Reporter, silentReporter } from "./progress.ts";
export { recipeJsonSchema } from "./recipe/json-schema.ts";
export { loadRecipe, parseRecipe, type ResolvedRecipe } from "./recipe/load.ts";
export { type Plan, planOf } from "./recipe/plan.ts";
export type { Recipe, RecipeInput, Stage } from "./recipe/schema.ts";
export { openRewardPool, type RewardPool } from "./reward/pool.ts";
export * from "./reward/reward.ts";
export { type LoggedRollout, readRolloutLog } from "./rollout-log.ts";
export { freeRunPath } from "./run-directory.ts";
export { openSandbox, type Sandbox, SandboxError } from "./sandbox/sandbox.ts";
export { judgeProgram, type ProgramResult, type Verdict } from "./sandbox/verdict.ts";
export { scoreGroups } from "./score.ts";
export { connectPolicyServer } from "./server/client.ts";
export { type EmbeddedServer, serveEngine } from "./server/embedded.ts";
export { type PolicyServer, ServerError } from "./server/server.ts";
export { setUp } from "./setup/setup.ts";
export { characterTokenizer } from "./tokenizer/characters.ts";
export { loadTokenizer } from "./tokenizer/load.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
export type * from "./types.ts";
export { type RewardTestReport, testRewards } from "./workbench/test.ts";
