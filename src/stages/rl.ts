/** An `rl` stage: opens model, server, rewards and data, and runs the loop of train.ts to its end or interruption. */
import { z } from "zod";
import { auditState, noAudit } from "../audit/history.ts";
import { firstContext } from "../context-schedule.ts";
import { createPromptSource } from "../dataset/prompt-source.ts";
import { evaluate } from "../evaluate.ts";
import { noControls } from "../objectives/control.ts";
import { createObjective } from "../objectives/create.ts";
import { seedFrom } from "../random.ts";
import type { RlStage } from "../recipe/schema.ts";
import { cutRolloutLog, rolloutLogPath, writeRolloutLog } from "../rollout-log.ts";
import { type LoopState, train } from "../train.ts";
import { openAudit } from "./audit.ts";
import { Closers } from "./closers.ts";
import { answerParamsOf, openCritic, openModel, openPrompts, openScorer, openServer, samplingParams } from "./open.ts";
import { restore, saveCheckpoint } from "./save.ts";
import type { StageContext, StageResult } from "./stage.ts";

const counts = z.array(z.int());

const loopSchema = z.object({
  step: z.int(),
  numUpdates: z.int(),
  numSkippedUpdates: z.int(),
  numSamples: z.int(),
  numTokens: z.int(),
  prompts: z.object({
    cursor: z.object({ epoch: z.int(), position: z.int() }),
    numDraws: z.int(),
    stage: z.int(),
    takesAll: z.boolean(),
    ledger: z.object({ index: counts, samples: counts, passes: counts, lastSamples: counts, lastPasses: counts }),
  }),
  context: z.object({ numEntered: z.int(), truncatedShares: z.array(z.number()) }),
  controls: z.object({
    entropy: z.object({ coefficient: z.number(), acts: z.boolean() }).nullable(),
    klCoefficient: z.number().nullable(),
  }),
  audit: auditState,
  bestScore: z.number().nullable(),
});

export async function runRlStage(context: StageContext<RlStage>): Promise<StageResult> {
  const { recipe, stage, name, startDir, run, reporter } = context;
  await using stack = new Closers();
  const objective = createObjective(stage.algorithm);
  const reference = objective.needs.includes("refLogprobs");
  const valueHead = stage.critic?.weights === "shared";
  const policy = await openModel(recipe, startDir, { reference, valueHead, stack, reporter });
  const critic =
    stage.critic?.weights === "own" ? await openCritic(recipe, startDir, stage.critic, policy, stack) : null;
  const model = { ...policy, critic };
  const { engine, tokenizer, stopTokenIds } = model;

  const seed = seedFrom(recipe.seed, name);
  const data = await openPrompts(stage.data, stage.template, tokenizer, reporter);
  const saved = await restore(context, model, loopSchema, data.hash);
  const source = createPromptSource({
    prompts: data.prompts,
    spec: stage.rollout.prompts,
    seed: seedFrom(seed, "data"),
    start: saved?.prompts,
    note: (sentence) => reporter.note(sentence),
  });
  const start: LoopState = saved ?? {
    step: 0,
    numUpdates: 0,
    numSkippedUpdates: 0,
    numSamples: 0,
    numTokens: 0,
    prompts: source.state(),
    context: firstContext,
    controls: noControls,
    audit: noAudit,
    bestScore: null,
  };

  await cutRolloutLog(run.path, name, start.step);

  const params = samplingParams(stage.rollout.sampling, stopTokenIds);
  const score = await openScorer(stage.rewards, stack);
  const auditor = await openAudit(context, { seed, step: start.step, stack });
  const canaryTokens = data.prompts[0]!.tokenIds;
  const { server, publish } = await openServer(recipe, model, { stack, reporter, canaryTokens });
  const evaluation = stage.eval === undefined ? null : await openEvaluation(stage.eval);

  async function openEvaluation(spec: NonNullable<RlStage["eval"]>) {
    const held = await openPrompts(spec.data, stage.template, tokenizer, reporter);
    const evalSampling = { ...stage.rollout.sampling, ...definedOf(spec.sampling) };
    const evalParams = samplingParams(evalSampling, stopTokenIds);
    const evalScore = spec.rewards === undefined ? score : await openScorer(spec.rewards, stack);
    return {
      hash: held.hash,
      run: () =>
        evaluate({
          server,
          prompts: held.prompts,
          score: (groups) => evalScore(groups, evalParams.maxTokens),
          metric: spec.metric,
          answer: answerParamsOf(spec.rewards ?? stage.rewards, spec.metric),
          numSamples: spec.numSamples,
          params: evalParams,
          seed: seedFrom(recipe.seed, "eval", spec.seed),
        }),
    };
  }

  let newest: string | null = null;
  const { state, interrupted } = await train(
    {
      name,
      stage,
      seed,
      engine,
      server,
      objective,
      criticEngine: critic,
      source,
      params,
      score,
      evaluate: evaluation?.run ?? null,
      publish,
      save: async (loop, isBest) => {
        newest = await saveCheckpoint(context, model, { ...loop, dataHash: data.hash }, isBest);
      },
      record: (record) => run.appendMetrics(record),
      logRollouts: (step, groups, trained) => writeRolloutLog(rolloutLogPath(run.path, name, step), groups, trained),
      auditor,
      reporter,
      stopRequested: context.stopRequested,
    },
    start,
  );
  if (!interrupted) newest = await saveCheckpoint(context, model, { ...state, dataHash: data.hash }, false);
  return {
    interrupted,
    checkpoint: newest,
    weightsHash: await engine.weightsHash(),
    inputs: { data: data.hash, ...(evaluation === null ? {} : { eval: evaluation.hash }) },
  };
}

/** Without the keys that are undefined, so that a spread keeps the defaults. */
function definedOf<Value extends object>(value: Value): { [Key in keyof Value]?: NonNullable<Value[Key]> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [Key in keyof Value]?: NonNullable<Value[Key]>;
  };
}
