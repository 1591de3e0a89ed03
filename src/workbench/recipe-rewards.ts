/** The rewards of a recipe's rl stage, with their weights and limits, and its questions, for the commands that try rewards. */
import { stageName } from "../pipeline.ts";
import { silentReporter } from "../progress.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { RlStage } from "../recipe/schema.ts";
import { rlStageOf } from "../replay/run.ts";
import type { RewardSpec } from "../reward/reward.ts";
import { openPrompts, openTokenizer } from "../stages/open.ts";
import type { SavedRow } from "./completions.ts";

export interface RecipeRewards {
  /** In recipe order. */
  readonly specs: readonly RewardSpec[];
  /** The stage's generation limit. */
  readonly maxTokens: number;
  readonly threads: number;
  readonly deadlineMs: number;
  /** The first prompts of the stage's data as rows without completions. Throws RecipeError without the data or the tokenizer. */
  readonly readQuestions: (limit: number) => Promise<SavedRow[]>;
}

/** `name`: of an rl stage; default: the last one. Throws RecipeError for a recipe with faults or without such a stage. */
export function recipeRewards(path: string, name?: string): RecipeRewards {
  const { recipe } = loadRecipe(path);
  const stage = rlStageOf(recipe, name);
  return {
    specs: rewardSpecsOf(stage),
    maxTokens: stage.rollout.sampling.maxTokens,
    threads: stage.rewards.threads,
    deadlineMs: 1000 * stage.rewards.deadlineSeconds,
    async readQuestions(limit) {
      const tokenizer = await openTokenizer(recipe.model, recipe.model.path);
      const { prompts } = await openPrompts(stage.data, stage.template, tokenizer, silentReporter);
      return prompts.slice(0, limit).map(
        ({ id, text, prefill, answer, fields }): SavedRow => ({
          where: `${stageName(stage)}: ${id}`,
          groupKey: id,
          group: { prompt: text, prefill, answer, fields },
          text: null,
          numTokens: undefined,
          finishReason: "stop",
        }),
      );
    },
  };
}

/** The rewards of a stage, each with its weight. */
export function rewardSpecsOf({ rewards }: RlStage): RewardSpec[] {
  return rewards.functions.map((spec) => (typeof spec === "string" ? { name: spec, weight: 1, params: {} } : spec));
}
