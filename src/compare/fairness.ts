/** Where recipes differ in what a comparison of methods would hold fixed: told, never refused, since it may be the question. */
import { asEvalStage, evaluates } from "../recipe/evaluation.ts";
import { planOf } from "../recipe/plan.ts";
import type { EvalStage, Recipe, RlStage, Stage } from "../recipe/schema.ts";
import type { Arm } from "./arm.ts";

/** The stage whose last evaluation is a run's score: the last that evaluates; undefined where none does. */
export function measuredStage({ stages }: Recipe): EvalStage | RlStage | undefined {
  return stages.findLast(evaluates);
}

/** One sentence for each thing that is not equal. */
export function unfairness(arms: readonly Arm[]): string[] {
  const sentences: string[] = [];
  const compare = (what: string, consequence: string, part: (recipe: Recipe) => unknown) => {
    const kinds = group(arms, ({ recipe }) => JSON.stringify(part(recipe)));
    if (kinds.length > 1) sentences.push(`The recipes differ in ${what} (${kinds.join(" | ")}): ${consequence}`);
  };
  const measured = (recipe: Recipe) => {
    const stage = measuredStage(recipe);
    if (stage === undefined) return undefined;
    const { name: _, from: __, ...evaluation } = asEvalStage(stage);
    return evaluation;
  };
  compare("the model", "a difference may be the model's.", ({ model }) => model);
  compare("what the evaluation asks or how it judges", "their scores do not measure the same thing.", (recipe) => {
    const { template: _, ...evaluation } = measured(recipe) ?? { template: null };
    return evaluation;
  });
  compare("training data", "a difference may be the data's.", (recipe) => rlStages(recipe).map(({ data }) => data));
  compare("template", "a difference may be the prompt's.", ({ stages }) => stages.map(({ template }) => template));
  compare("rewards", "a difference may be the reward's.", (recipe) => rlStages(recipe).map(({ rewards }) => rewards));
  compare("stages before reinforcement learning", "they start it from different weights.", ({ stages }) =>
    stages.slice(0, Math.max(0, stages.findIndex(isRl))),
  );
  compare("precision or memory settings of the engine", "their numbers round differently.", ({ engine }) => [
    engine.device,
    engine.bf16Moments,
  ]);
  return [...sentences, ...budgets(arms)];
}

/** Who plans more samples, tokens or optimizer steps, and by how much. */
function budgets(arms: readonly Arm[]): string[] {
  const sentences: string[] = [];
  const plans = arms.map(({ label, recipe }) => ({ label, stages: planOf(recipe, null).stages }));
  const compare = (unit: string, key: string) => {
    const planned = plans.map(({ label, stages }) => ({
      label,
      count: stages.filter(({ type }) => type === "rl").reduce((sum, { numbers }) => sum + (numbers[key] ?? 0), 0),
    }));
    const sorted = planned.toSorted((a, b) => b.count - a.count);
    const [most, least] = [sorted[0]!, sorted.at(-1)!];
    if (most.count === least.count) return;
    const ratio = least.count === 0 ? "" : `, ${(most.count / least.count).toFixed(2)} times as many`;
    sentences.push(
      `${most.label} gets more ${unit} than ${least.label}: ${most.count.toLocaleString("en")} against ${least.count.toLocaleString("en")}${ratio}.`,
    );
  };
  compare("samples to train on", "completions");
  compare("tokens at most", "maxCompletionTokens");
  compare("optimizer steps", "optimizerSteps");
  const filtering = arms.filter(({ recipe }) =>
    rlStages(recipe).some(({ rollout }) => rollout.dynamicSampling?.refill),
  );
  if (filtering.length > 0 && filtering.length < arms.length) {
    const labels = filtering.map(({ label }) => label).join(", ");
    sentences.push(
      `Only ${labels} samples more to fill batches (dynamicSampling): equal steps are not equal samples. Look at the cost to target.`,
    );
  }
  return sentences;
}

function rlStages({ stages }: Recipe): RlStage[] {
  return stages.filter(isRl);
}

function isRl(stage: Stage): stage is RlStage {
  return stage.type === "rl";
}

/** Labels of recipes with equal parts, joined: "a, b" and "c". */
function group(arms: readonly Arm[], part: (arm: Arm) => string): string[] {
  const groups = new Map<string, string[]>();
  for (const arm of arms) {
    const key = part(arm);
    groups.set(key, [...(groups.get(key) ?? []), arm.label]);
  }
  return [...groups.values()].map((labels) => labels.join(", "));
}
