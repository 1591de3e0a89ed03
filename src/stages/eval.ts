/** An `eval` stage: samples, scores, writes every item beside the numbers. */
import { join } from "node:path";
import { evaluate } from "../evaluate.ts";
import { writeFileAtomic } from "../files.ts";
import { seedFrom } from "../random.ts";
import type { EvalStage } from "../recipe/schema.ts";
import type { Group } from "../types.ts";
import { Closers } from "./closers.ts";
import { answerParamsOf, openModel, openPrompts, openScorer, openServer, samplingParams } from "./open.ts";
import type { StageContext, StageResult } from "./stage.ts";

export async function runEvalStage(context: StageContext<EvalStage>): Promise<StageResult> {
  const { recipe, stage, name, startDir, run, reporter } = context;
  await using stack = new Closers();
  const model = await openModel(recipe, startDir, { reference: false, stack, reporter });
  const data = await openPrompts(stage.data, stage.template, model.tokenizer, reporter);
  const params = samplingParams(stage.sampling, model.stopTokenIds);
  const scorer = await openScorer(stage.rewards, stack);
  const score = (groups: readonly Group[]) => scorer(groups, params.maxTokens);
  const canaryTokens = data.prompts[0]!.tokenIds;
  const { server } = await openServer(recipe, model, { stack, reporter, canaryTokens });
  const { metric, numSamples } = stage;
  const seed = seedFrom(recipe.seed, "eval", stage.seed);
  const answer = answerParamsOf(stage.rewards, metric);
  const evaluation = await evaluate({ server, prompts: data.prompts, score, metric, answer, numSamples, params, seed });

  const { items, ...numbers } = evaluation;
  await writeFileAtomic(
    join(run.path, `${name}-items.jsonl`),
    items.map((item) => `${JSON.stringify(item)}\n`).join(""),
  );
  await run.writeJson(`${name}.json`, { ...numbers, params, seed, metric, data: data.hash });
  await run.appendMetrics({
    stage: name,
    step: 0,
    "eval/pass@1": numbers.passAt1,
    "eval/standard_error": numbers.standardError,
    "eval/cons@k": numbers.consAtK,
  });
  const { numPrompts, passAt1, standardError } = numbers;
  reporter.evaluated({ stage: name, step: 0, numPrompts, numSamples, passAt1, standardError });
  return {
    interrupted: false,
    checkpoint: null,
    weightsHash: await model.engine.weightsHash(),
    inputs: { data: data.hash },
  };
}
