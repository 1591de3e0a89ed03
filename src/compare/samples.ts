/**
 * The same held-out prompts, answered by the final model of each recipe with the same seed: the first prompts of the evaluation that
 * decides, sampled as it samples. Rollouts of training would not do: recipes that fill batches meet different prompts.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { asEvalStage } from "../recipe/evaluation.ts";
import { measuredStage } from "./fairness.ts";
import type { Job, RunJob } from "./jobs.ts";

const NUM_PROMPTS = 8;
const STAGE = "samples";

export interface SidedPrompt {
  readonly prompt: string;
  readonly answer: string | null;
  /** One per recipe, in the study's order; null where there is none. */
  readonly completions: readonly (SidedCompletion | null)[];
}

export interface SidedCompletion {
  readonly text: string;
  /** null where it could not be judged. */
  readonly correct: boolean | null;
  readonly numTokens: number;
  readonly truncated: boolean;
}

/** The job that asks the final model of a complete run; null where the run trained nothing. */
export async function samplesJob({ path, recipe, label, seed }: RunJob): Promise<Job | null> {
  const progress = finishedStages.parse(JSON.parse(await readFile(join(path, "progress.json"), "utf8")));
  const trained = progress.finished.findLast(({ checkpoint }) => checkpoint !== null);
  const measured = measuredStage(recipe);
  if (trained?.checkpoint == null || measured === undefined) return null;
  const { from: _, ...evaluation } = asEvalStage(measured);
  const data = { ...evaluation.data, limit: Math.min(evaluation.data.limit ?? NUM_PROMPTS, NUM_PROMPTS) };
  const samples = join(path, "..", "..", "samples", `${label}-seed-${seed}`);
  return {
    name: `answers of ${label}, seed ${seed}`,
    kind: "samples",
    path: samples,
    recipe: {
      ...recipe,
      outputDir: join(samples, ".."),
      model: { path: join(path, trained.checkpoint, "model") },
      stages: [{ ...evaluation, data, name: STAGE }],
    },
    after: null,
  };
}

const finishedStages = z.looseObject({ finished: z.array(z.looseObject({ checkpoint: z.string().nullable() })) });

/** What complete sample jobs left, by prompt; a recipe's place is null where its job is, or failed. */
export async function readSamples(jobs: readonly (Job | null)[]): Promise<SidedPrompt[]> {
  const sides = await Promise.all(jobs.map((job) => (job === null ? [] : readItems(job.path))));
  const ids = new Set(sides.flatMap((items) => items.map(({ id }) => id)));
  return [...ids].map((id) => {
    const items = sides.map((side) => side.find((item) => item.id === id));
    const { prompt, answer } = items.find((item) => item !== undefined)!;
    return { prompt, answer, completions: items.map((item) => (item === undefined ? null : firstOf(item))) };
  });
}

function firstOf({ completions, correct, numTokens, truncated }: z.infer<typeof itemSchema>): SidedCompletion | null {
  const [text, verdict, length, cut] = [completions[0], correct[0], numTokens[0], truncated[0]];
  if (text === undefined || verdict === undefined || length === undefined || cut === undefined) return null;
  return { text, correct: verdict, numTokens: length, truncated: cut };
}

const itemSchema = z.looseObject({
  id: z.string(),
  prompt: z.string(),
  answer: z.string().nullable(),
  correct: z.array(z.boolean().nullable()),
  completions: z.array(z.string()),
  numTokens: z.array(z.number()),
  truncated: z.array(z.boolean()),
});

async function readItems(path: string): Promise<z.infer<typeof itemSchema>[]> {
  const text = await readFile(join(path, `${STAGE}-items.jsonl`), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => itemSchema.parse(JSON.parse(line)));
}
