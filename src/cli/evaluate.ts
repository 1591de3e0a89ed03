/** `grouper eval`: measures a model by the evaluation of a recipe. */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { RecipeError } from "../errors.ts";
import { runPipeline } from "../pipeline.ts";
import { asEvalStage } from "../recipe/evaluation.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { EvalStage, Recipe, RlStage } from "../recipe/schema.ts";
import { freeRunPath } from "../run-directory.ts";
import { createReporter, type Output } from "./reporters.ts";

export interface EvaluateArguments {
  readonly recipe: string;
  readonly set: readonly string[];
  /** Model folder; default: the recipe's own model. */
  readonly model: string | undefined;
  /** k; default: the recipe's. */
  readonly samples: number | undefined;
  readonly json: boolean;
}

export async function runEvaluate(
  args: EvaluateArguments,
  output: Output,
  print: (text: string) => void,
): Promise<number> {
  const reporter = createReporter(output, args);
  const { recipe, warnings } = loadRecipe(args.recipe, { set: args.set });
  for (const warning of warnings) reporter.note(warning);
  const stage = evaluationOf(recipe, args.samples);
  const model: Recipe["model"] = args.model === undefined ? recipe.model : { path: resolve(args.model) };
  const runPath = await freeRunPath(recipe.outputDir, `${recipe.name ?? "run"}-eval`);
  await runPipeline({
    recipe: { ...recipe, model, stages: [stage] },
    provenance: { recipeFile: resolve(args.recipe), set: args.set },
    runPath,
    resume: false,
    reporter,
    stopRequested: () => false,
  });
  reporter.close();
  const result: Record<string, unknown> = JSON.parse(readFileSync(join(runPath, "eval.json"), "utf8"));
  if (args.json) print(`${JSON.stringify({ run: runPath, ...result })}\n`);
  else print(table(result, runPath));
  return 0;
}

/** The recipe's eval stage, or the held-out evaluation of its last rl stage. */
function evaluationOf(recipe: Recipe, samples: number | undefined): EvalStage {
  const own = recipe.stages.findLast((stage): stage is EvalStage => stage.type === "eval");
  const rl = recipe.stages.findLast((stage): stage is RlStage => stage.type === "rl" && stage.eval !== undefined);
  const found = own ?? (rl === undefined ? undefined : asEvalStage(rl));
  if (found === undefined)
    throw new RecipeError(
      "Expected a recipe with an eval stage, or an rl stage with eval, got neither. Add one of them.",
    );
  const { from: _, ...rest } = found;
  return { ...rest, name: "eval", numSamples: samples ?? found.numSamples };
}

function table(result: Readonly<Record<string, unknown>>, runPath: string): string {
  const percent = (value: unknown) => `${(100 * Number(value)).toFixed(1)} %`;
  const passAtK = Object.entries(result["passAtK"] as Record<string, number>).filter(([k]) => k !== "1");
  return [
    `prompts      ${result["numPrompts"]} x ${result["numSamples"]} samples`,
    `pass@1       ${percent(result["passAt1"])} ± ${percent(result["standardError"])} (standard error over prompts)`,
    ...passAtK.map(([k, value]) => `pass@${k.padEnd(7)} ${percent(value)}`),
    `cons@${String(result["numSamples"]).padEnd(7)} ${percent(result["consAtK"])} (${result["numTies"]} ties)`,
    `mean length  ${Number(result["meanTokens"]).toFixed(1)} tokens, ${percent(result["truncatedShare"])} cut off`,
    `unjudged     ${result["numUnjudged"]}`,
    `items        ${join(runPath, "eval-items.jsonl")}`,
    "",
  ].join("\n");
}
