/** What a finished run's metrics.jsonl says, as curves and as what they cost. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RecipeError } from "../errors.ts";
import { stageName } from "../pipeline.ts";
import { isMapping } from "../recipe/override.ts";
import type { Recipe, RlStage } from "../recipe/schema.ts";
import { measuredStage } from "./fairness.ts";

/** What reinforcement learning had cost at a moment; evaluations and shared stages before it cost nothing. */
export interface Cost {
  readonly samples: number;
  /** Trained tokens. */
  readonly tokens: number;
  readonly seconds: number;
}

export interface EvaluationPoint {
  readonly step: number;
  /** pass@1, 0 to 1. */
  readonly score: number;
  readonly cost: Cost;
}

export interface RunCurves {
  /** Of the last evaluation of the measured stage. */
  readonly finalScore: number;
  readonly bestScore: number;
  /** Mean height of the evaluation curve over steps, by trapezoids; null where there is no curve. */
  readonly area: number | null;
  /** Of the last rl stage with held-out data, from before its first step; empty where there is none. */
  readonly evaluations: readonly EvaluationPoint[];
  /** Of that stage, or of the last rl stage: its step records. */
  readonly steps: readonly { readonly step: number; readonly values: Readonly<Record<string, number>> }[];
  /** Of the whole of that stage. */
  readonly cost: Cost;
}

const SCORE = "eval/pass@1";

/** Throws RecipeError when the run has no evaluation. */
export async function readRun(runPath: string, recipe: Recipe): Promise<RunCurves> {
  const path = join(runPath, "metrics.jsonl");
  const records = (await readFile(path, "utf8"))
    .split("\n")
    .filter(Boolean)
    .map((line) => recordOf(JSON.parse(line)));
  const rl = curveStage(recipe);
  const measured = measuredStage(recipe);
  const finalScore = records.findLast(
    ({ stage, values }) => measured !== undefined && stage === stageName(measured) && values[SCORE] !== undefined,
  )?.values[SCORE];
  if (finalScore === undefined) throw new RecipeError(`Expected an evaluation in ${path}, but there is none.`);

  const evaluations: EvaluationPoint[] = [];
  const steps: { step: number; values: Readonly<Record<string, number>> }[] = [];
  let cost: Cost = { samples: 0, tokens: 0, seconds: 0 };
  for (const { stage, step, values } of records) {
    if (rl === undefined || stage !== stageName(rl)) continue;
    const score = values[SCORE];
    if (score !== undefined) evaluations.push({ step, score, cost });
    else {
      steps.push({ step, values });
      const { num_samples: samples = cost.samples, num_tokens: tokens = cost.tokens } = values;
      cost = { samples, tokens, seconds: cost.seconds + (values["time/step"] ?? Number.NaN) };
    }
  }
  const bestScore = Math.max(finalScore, ...evaluations.map(({ score }) => score));
  return { finalScore, bestScore, area: areaOf(evaluations), evaluations, steps, cost };
}

function curveStage({ stages }: Recipe): RlStage | undefined {
  const ofRl = stages.filter((stage): stage is RlStage => stage.type === "rl");
  return ofRl.findLast((stage) => stage.eval !== undefined) ?? ofRl.at(-1);
}

/** The cost of the first evaluation at or above `target`; null where there is none. */
export function costToTarget({ evaluations }: RunCurves, target: number): Cost | null {
  return evaluations.find(({ score }) => score >= target)?.cost ?? null;
}

function areaOf(points: readonly EvaluationPoint[]): number | null {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first.step === last.step) return null;
  let area = 0;
  points.slice(1).forEach((point, i) => {
    const before = points[i]!;
    area += ((point.score + before.score) / 2) * (point.step - before.step);
  });
  return area / (last.step - first.step);
}

function recordOf(line: unknown): { stage: string; step: number; values: Record<string, number> } {
  if (!isMapping(line)) throw new RecipeError(`Expected a record in metrics.jsonl, got ${JSON.stringify(line)}.`);
  const { stage, step, ...rest } = line;
  const values = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { stage: String(stage), step: Number(step), values: Object.fromEntries(values) };
}
