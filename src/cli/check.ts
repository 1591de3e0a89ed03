/** `grouper check`: everything that can be known of a recipe without training: errors, warnings, the resolved recipe and its plan. */
import YAML from "yaml";
import { openDataset } from "../dataset/dataset.ts";
import { promptsOf } from "../dataset/prompts.ts";
import { readModelFolder } from "../engine/model-folder.ts";
import { loadRecipe } from "../recipe/load.ts";
import { type Plan, planOf } from "../recipe/plan.ts";
import type { DataSpec, Recipe, Stage } from "../recipe/schema.ts";
import { Closers } from "../stages/closers.ts";
import { openScorer, openTokenizer } from "../stages/open.ts";

export interface CheckArguments {
  readonly recipe: string;
  readonly set: readonly string[];
  readonly json: boolean;
}

export async function runCheck({ recipe: path, set, json }: CheckArguments, print: (text: string) => void): Promise<number> {
  const { recipe, warnings } = loadRecipe(path, { set });
  const notes = [...warnings];
  const vocabSize = await checkModel(recipe, notes);
  const samples: { stage: string; rows: number; prompt: string }[] = [];
  for (const stage of recipe.stages) {
    await checkRewards(stage);
    const sample = await checkData(recipe, stage, notes);
    if (sample !== null) samples.push(sample);
  }
  const plan = planOf(recipe, vocabSize);
  if (json) print(`${JSON.stringify({ recipe, plan, warnings: notes, samples })}\n`);
  else print(describe(recipe, plan, notes, samples));
  return 0;
}

/** The tokenizer's size; a model folder that is not on this machine is a note, since the run may be for another one. */
async function checkModel(recipe: Recipe, notes: string[]): Promise<number | null> {
  const { model } = recipe;
  try {
    if (model.path !== undefined) await readModelFolder(model.path);
    return (await openTokenizer(model, model.path)).vocabSize;
  } catch (error) {
    if (model.init !== undefined || !(error instanceof Error)) throw error;
    notes.push(`Not checked here: ${error.message}`);
    return null;
  }
}

async function checkRewards(stage: Stage): Promise<void> {
  if (stage.type === "sft") return;
  await using closers = new Closers();
  await openScorer(stage.rewards, 1, closers);
  if (stage.type === "rl" && stage.eval?.rewards !== undefined) await openScorer(stage.eval.rewards, 1, closers);
}

async function checkData(recipe: Recipe, stage: Stage, notes: string[]): Promise<{ stage: string; rows: number; prompt: string } | null> {
  const specs: DataSpec[] = [stage.data, ...(stage.type === "rl" && stage.eval !== undefined ? [stage.eval.data] : [])];
  if (specs.some((spec) => spec.type === "hub")) {
    notes.push("Not checked here: rows of Hugging Face datasets, which are downloaded when the run starts.");
    return null;
  }
  const [train] = await Promise.all(specs.map((spec) => openDataset(spec)));
  const tokenizer = await openTokenizer(recipe.model, recipe.model.path).catch(() => null);
  if (tokenizer === null) return null;
  const { prompts } = promptsOf({ ...train!, rows: train!.rows.slice(0, 1) }, stage.template, tokenizer);
  return { stage: stage.name ?? stage.type, rows: train!.rows.length, prompt: prompts[0]!.text };
}

function describe(
  recipe: Recipe,
  plan: Plan,
  notes: readonly string[],
  samples: readonly { stage: string; rows: number; prompt: string }[],
): string {
  const lines = [YAML.stringify(recipe, { lineWidth: 120 }).trimEnd(), ""];
  for (const { name, sentence } of plan.stages) lines.push(`# ${name}: ${sentence}`);
  for (const { stage, rows, prompt } of samples) lines.push(`# ${stage}: ${rows} rows; the first prompt is ${JSON.stringify(prompt)}`);
  if (plan.numParameters !== null && plan.trainingBytes !== null) {
    lines.push(`# ${plan.numParameters.toLocaleString("en")} parameters; weights, gradient and moments take ${(plan.trainingBytes / 1e6).toFixed(1)} MB.`);
  }
  for (const note of notes) lines.push(`# warning: ${note}`);
  return `${lines.join("\n")}\n`;
}
