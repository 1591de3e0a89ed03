/** `grouper check`: everything that can be known of a recipe without training: errors, warnings, the resolved recipe and its plan. */
import { existsSync } from "node:fs";
import YAML from "yaml";
import { type Dataset, openDataset } from "../dataset/dataset.ts";
import { createPromptSource } from "../dataset/prompt-source.ts";
import { promptsOf } from "../dataset/prompts.ts";
import { readModelFolder } from "../engine/model-folder.ts";
import { measureRun } from "../measured.ts";
import { stageName } from "../pipeline.ts";
import { loadRecipe } from "../recipe/load.ts";
import { longestContext, type Plan, planOf } from "../recipe/plan.ts";
import type { DataSpec, EvalStage, Recipe, RlStage, Stage } from "../recipe/schema.ts";
import { demandFit, openTokenizer } from "../stages/open.ts";
import { checkRewards } from "../stages/preflight.ts";
import { supervised } from "../stages/sft.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Prompt } from "../types.ts";

export interface CheckArguments {
  readonly recipe: string;
  readonly set: readonly string[];
  readonly json: boolean;
  /** A run folder whose rollouts are looked at. */
  readonly run?: string | undefined;
}

interface Sample {
  readonly stage: string;
  readonly rows: number;
  /** The first one, as the model would see it. */
  readonly prompt: string;
}

export async function runCheck(
  { recipe: path, set, json, run }: CheckArguments,
  print: (text: string) => void,
): Promise<number> {
  const measured = run === undefined ? {} : await measureRun(run);
  const { recipe, warnings } = loadRecipe(path, { set, measured });
  const notes = [...warnings];
  const unmeasured = recipe.stages.filter((stage) => stage.type === "rl" && measured[stageName(stage)] === undefined);
  if (run !== undefined && unmeasured.length > 0)
    notes.push(`${run} has no rollouts of stage ${unmeasured.map(stageName).join(", ")}: nothing is measured there.`);
  const model = await checkModel(recipe, notes);
  const samples: Sample[] = [];
  for (const stage of recipe.stages) {
    await checkRewards(stage);
    const sample = await checkData(stage, model, notes);
    if (sample !== null) samples.push(sample);
  }
  const plan = planOf(recipe, model?.tokenizer.vocabSize ?? null);
  if (json) print(`${JSON.stringify({ recipe, plan, warnings: notes, samples })}\n`);
  else print(describe(recipe, plan, notes, samples));
  return 0;
}

interface CheckedModel {
  readonly tokenizer: Tokenizer;
  readonly maxPositions: number;
}

/** A folder that is not on this machine is a note, since the run may be for another one; a folder with faults is an error. */
async function checkModel({ model }: Recipe, notes: string[]): Promise<CheckedModel | null> {
  const folders = [model.path, typeof model.tokenizer === "string" ? model.tokenizer : undefined];
  const missing = folders.find((dir) => dir !== undefined && !existsSync(dir));
  if (missing !== undefined) {
    notes.push(`Not checked here: model, tokenizer and prompts, because ${missing} is not on this machine.`);
    return null;
  }
  const folder = model.path === undefined ? null : await readModelFolder(model.path);
  const tokenizer = await openTokenizer(model, model.path);
  if (folder !== null) demandFit(tokenizer, folder.config.vocabSize);
  const maxPositions = folder?.config.maxPositionEmbeddings ?? model.init?.maxPositionEmbeddings;
  return { tokenizer, maxPositions: maxPositions ?? Number.POSITIVE_INFINITY };
}

/** Prompts whose length is looked at. */
const MAX_MEASURED = 100;

async function checkData(stage: Stage, model: CheckedModel | null, notes: string[]): Promise<Sample | null> {
  const name = stageName(stage);
  const specs: DataSpec[] = [stage.data, ...(stage.type === "rl" && stage.eval !== undefined ? [stage.eval.data] : [])];
  if (specs.some((spec) => spec.type === "hub")) {
    notes.push(`Not checked here: rows of ${name}, which the run downloads from Hugging Face when it starts.`);
    return null;
  }
  const [train] = await Promise.all(specs.map((spec) => openDataset(spec)));
  if (stage.type === "rl") checkColumns(stage, train!);
  if (model === null) return null;
  const { rows } = train!;
  const { prompts } = promptsOf({ ...train!, rows: rows.slice(0, MAX_MEASURED) }, stage.template, model.tokenizer);
  if (stage.type === "sft") for (const prompt of prompts) supervised(prompt, stage.response, model.tokenizer);
  else notes.push(...tooLong(prompts, stage, model.maxPositions));
  return { stage: name, rows: rows.length, prompt: prompts[0]!.text };
}

/** Throws RecipeError where a column that chooses prompts is not there, or its window holds none of them. */
function checkColumns({ rollout: { prompts: spec } }: RlStage, { rows }: Dataset): void {
  const prompts = rows.map(({ id, answer, fields }) => ({ id, text: "", tokenIds: [], prefill: "", answer, fields }));
  createPromptSource({ prompts, spec, seed: 0 });
}

function tooLong(prompts: readonly Prompt[], stage: RlStage | EvalStage, maxPositions: number): string[] {
  const maxTokens = stage.type === "rl" ? longestContext(stage.rollout) : stage.sampling.maxTokens;
  const longest = prompts.reduce((most, { tokenIds }) => Math.max(most, tokenIds.length), 0);
  if (longest + maxTokens <= maxPositions) return [];
  return [
    `${stageName(stage)}: a prompt of ${longest} tokens and maxTokens ${maxTokens} are more than the ${maxPositions} positions of the model; such a request is refused. Lower maxTokens, or set data.maxPromptTokens.`,
  ];
}

function describe(recipe: Recipe, plan: Plan, notes: readonly string[], samples: readonly Sample[]): string {
  const lines = [YAML.stringify(recipe, { lineWidth: 120 }).trimEnd(), ""];
  for (const { name, sentence, audit } of plan.stages) {
    lines.push(`# ${name}: ${sentence}`);
    if (audit !== undefined) lines.push(`# ${name}: ${audit}`);
  }
  for (const { stage, rows, prompt } of samples)
    lines.push(`# ${stage}: ${rows} rows; the first prompt is ${JSON.stringify(prompt)}`);
  if (plan.numParameters !== null && plan.trainingBytes !== null) {
    lines.push(
      `# ${plan.numParameters.toLocaleString("en")} parameters; weights, gradient and moments take ${(plan.trainingBytes / 1e6).toFixed(1)} MB.`,
    );
  }
  for (const note of notes) lines.push(`# warning: ${note}`);
  return `${lines.join("\n")}\n`;
}
