/**
 * The recipe: one YAML file that says everything a run does. This file is its only definition; the JSON Schema for editors, the
 * defaults and the error messages are all made from it. Keys are camelCase, unknown keys are errors, units end names.
 */
import { z } from "zod";
import { objectiveSchema } from "../objectives/create.ts";
import { correctionOption } from "../objectives/terms/off-policy.ts";
import { audit } from "./audit-schema.ts";
import { warningNames } from "./lint/names.ts";
import { device, engine, model, server } from "./model-schema.ts";
import { contextSchedule, prompts } from "./prompts-schema.ts";

const positive = () => z.number().positive();
const count = () => z.int().positive();
const whole = () => z.int().nonnegative();
const share = () => z.number().min(0).max(1);

export const template = z
  .union([
    z.enum([
      "r1-zero",
      "oat",
      "orz",
      "qwen-math",
      "none",
      "logic-rl",
      "open-r1",
      "dapo",
      "deepscaler",
      "prime",
      "chat",
    ]),
    z.strictObject({
      type: z.literal("chat"),
      system: z.string().optional(),
      user: z.string().default("{question}").describe("User message; {column} is replaced."),
      prefill: z.string().default("").describe("Start of the response that is part of the prompt, e.g. <think>."),
      variables: z
        .record(z.string(), z.unknown())
        .default({})
        .describe("Variables of the chat template, e.g. enable_thinking: false."),
    }),
    z.strictObject({
      type: z.literal("text"),
      text: z.string().describe("The whole prompt; {question} and other {column}s are replaced."),
      prefill: z.string().default("").describe("The end of `text` that belongs to the response."),
    }),
  ])
  .describe("How a row becomes a prompt.");

const dataCommon = {
  columns: z
    .strictObject({ question: z.string().default("question"), answer: z.string().nullable().default("answer") })
    .prefault({})
    .describe("Names of the columns; answer: null where there is none. All other columns stay available to rewards."),
  answerFrom: z
    .enum(["column", "gsm8k", "boxed"])
    .default("column")
    .describe("gsm8k: what follows ####; boxed: the last \\boxed{}; column: as it stands."),
  where: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("Keep rows whose columns equal these values."),
  limit: count().optional().describe("Use at most this many rows."),
  holdout: z
    .strictObject({
      part: z.enum(["train", "eval"]),
      count: count().describe("Rows that the eval part gets."),
      seed: whole().default(0),
    })
    .optional()
    .describe("Split one source in two parts that never overlap."),
  maxPromptTokens: count().optional().describe("Longer prompts are left out, counted and named; never cut."),
  maxBadRows: whole().default(0).describe("Malformed rows to leave out before giving up."),
};

export const data = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("task"),
      task: z.string().describe("A procedural task; see `grouper tasks`."),
      params: z.record(z.string(), z.unknown()).default({}),
      size: count().describe("Number of problems."),
      split: z.enum(["train", "eval"]).default("train").describe("The two never share a problem."),
      seed: whole().default(0),
      ...dataCommon,
    }),
    z.strictObject({
      type: z.literal("file"),
      path: z
        .union([z.string(), z.array(z.string()).min(1)])
        .describe(".jsonl, .jsonl.gz or .parquet; relative to the recipe."),
      ...dataCommon,
    }),
    z.strictObject({
      type: z.literal("hub"),
      dataset: z.string().describe("Hugging Face dataset, e.g. openai/gsm8k."),
      config: z.string().optional(),
      split: z.string().default("train"),
      revision: z.string().default("main"),
      ...dataCommon,
    }),
  ])
  .describe("Where rows come from.");

export const rewardSpec = z
  .union([
    z.string().describe("Name of a shipped reward."),
    z
      .strictObject({
        name: z.string().optional().describe("Name of a shipped reward; with `file`, the name in metrics."),
        file: z.string().optional().describe("Your own .ts or .js file, relative to the recipe."),
        as: z.string().min(1).optional().describe("Name in metrics, where one reward is used twice."),
        weight: z.number().default(1),
        params: z.record(z.string(), z.unknown()).default({}),
      })
      .refine((spec) => spec.name !== undefined || spec.file !== undefined, "expected name or file"),
  ])
  .describe("One reward.");

export const rewards = z
  .strictObject({
    functions: z.array(rewardSpec).min(1),
    threads: count().default(2),
    deadlineSeconds: positive()
      .default(10)
      .describe("Per completion; past it the worker is killed and the outcome is a failure."),
    maxFailedShare: share().default(0.05).describe("A step with a larger share of failed completions stops the run."),
  })
  .describe("What a completion is worth.");

const samplingFields = {
  temperature: z.number().nonnegative(),
  topP: z.number().gt(0).max(1),
  topK: whole().describe("0 = off."),
  minP: share(),
  maxTokens: count().describe("Generation limit."),
  minTokens: whole(),
};

export const sampling = z
  .strictObject({
    temperature: samplingFields.temperature.default(1),
    topP: samplingFields.topP.default(1),
    topK: samplingFields.topK.default(0),
    minP: samplingFields.minP.default(0),
    maxTokens: samplingFields.maxTokens,
    minTokens: samplingFields.minTokens.default(0),
  })
  .describe("How tokens are drawn.");

/** No defaults: what is not written comes from the stage, and a default here would silently replace it. */
export const samplingOverrides = z.strictObject(samplingFields).partial();

export const rollout = z
  .strictObject({
    promptsPerStep: count().describe("Prompts whose groups are trained in one step."),
    groupSize: count().describe("G: completions per prompt."),
    sampling,
    prompts: prompts.optional(),
    contextSchedule: contextSchedule.optional(),
    dynamicSampling: z
      .strictObject({
        maxBatches: count()
          .default(10)
          .describe("Generation batches per step before the run stops with an explanation."),
        metric: z.string().optional().describe("The reward whose scores must differ; default: the total."),
        minInformativeShare: z
          .number()
          .gt(0)
          .max(1)
          .default(1)
          .describe("Share of the batch whose rewards must differ. 1: all of it (DAPO); GPG's beta_th is 0.6."),
        refill: z
          .boolean()
          .default(true)
          .describe("false: train the groups of one batch that differ, however many they are (Skywork-OR1)."),
      })
      .optional()
      .describe("DAPO: keep only groups whose rewards differ, and sample until the batch is full."),
    maskTruncated: z.boolean().default(false).describe("Completions that hit maxTokens are not trained."),
    prefetch: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe("1: sample the next batch while this one trains (one step off-policy)."),
    correction: correctionOption.optional(),
  })
  .describe("What is sampled for a step.");

export const optimizer = z
  .strictObject({
    learningRate: positive(),
    schedule: z.enum(["constant", "linear", "cosine"]).default("constant"),
    minLearningRateRatio: share().default(0).describe("Where linear and cosine end, as a share of learningRate."),
    warmupSteps: whole().default(0).describe("Optimizer steps over which the rate rises from 0."),
    beta1: share().default(0.9),
    beta2: share().default(0.999),
    eps: positive().default(1e-8),
    weightDecay: z.number().nonnegative().default(0),
    maxGradNorm: positive().default(1),
  })
  .describe("AdamW.");

export const evaluation = z
  .strictObject({
    data,
    rewards: rewards.optional().describe("Default: the stage's own."),
    metric: z.string().default("accuracy").describe("The reward whose score above 0.5 counts as correct."),
    numSamples: count().default(1).describe("k: completions per prompt."),
    sampling: samplingOverrides.default({}).describe("Default: the stage's own."),
    seed: whole().default(0),
  })
  .describe("Held-out evaluation.");

const stageCommon = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, "expected lower-case letters, digits and dashes")
    .optional()
    .describe("Default: the type."),
  from: z
    .string()
    .optional()
    .describe("Stage whose final weights this one starts from, or `base`. Default: the stage before."),
};

const checkpoint = z
  .strictObject({
    everySteps: whole().default(0).describe("0 = only at the end and on interruption."),
    keep: count().default(2).describe("Newest checkpoints that stay; the best by eval stays too."),
  })
  .prefault({});

export const critic = z
  .strictObject({
    weights: z
      .enum(["own", "shared"])
      .default("own")
      .describe(
        "own: a model of its own, as large as the policy. shared: one number per token from the policy's trunk.",
      ),
    path: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Model folder that a critic of its own starts from. Default: what the policy of the stage starts from.",
      ),
    device: device.optional().describe("Where a critic of its own computes, e.g. cuda:1. Default: the engine's."),
    optimizer: optimizer.optional().describe("Of a critic of its own. Default: the stage's."),
    updatesPerBatch: count()
      .optional()
      .describe("Optimizer steps of a critic of its own on one rollout batch. Default: the stage's."),
    epochsPerBatch: count().optional().describe("Its passes over one rollout batch. Default: the stage's."),
    headLearningRate: positive()
      .optional()
      .describe("Peak rate of the value head, which starts at zero. Default: that of the other weights."),
    coefficient: positive()
      .optional()
      .describe("Weight of the value loss beside the policy's, with shared weights. Default: 0.1, as in TRL."),
  })
  .describe("The model that says what reward to expect; for algorithms that learn values (ppo, orz, vc-ppo, vapo).");

export const rlStage = z.strictObject({
  type: z.literal("rl"),
  ...stageCommon,
  data,
  template: template.default("none"),
  rewards,
  algorithm: objectiveSchema,
  critic: critic.optional(),
  rollout,
  steps: count().describe("Rollout batches to train on."),
  updatesPerBatch: count().default(1).describe("Optimizer steps that share one rollout batch."),
  epochsPerBatch: count().default(1).describe("Passes over one rollout batch."),
  refreshReferenceEverySteps: count()
    .optional()
    .describe("Replace the reference by the policy; default: it stays frozen."),
  optimizer,
  eval: evaluation
    .extend({
      everySteps: whole().default(0).describe("0 = only before the first and after the last step."),
    })
    .optional(),
  audit,
  checkpoint,
});

export const sftStage = z.strictObject({
  type: z.literal("sft"),
  ...stageCommon,
  data,
  template: template.default("none"),
  response: z
    .string()
    .default("{answer}")
    .describe("What is trained; {column} is replaced, and the end-of-text token is added."),
  steps: count().optional().describe("Optimizer steps; or `epochs`."),
  epochs: positive().optional(),
  batchSize: count().describe("Sequences per optimizer step."),
  optimizer,
  checkpoint,
});

export const evalStage = z.strictObject({
  type: z.literal("eval"),
  ...stageCommon,
  template: template.default("none"),
  ...evaluation.shape,
  rewards,
  sampling,
});

export const stage = z.discriminatedUnion("type", [rlStage, sftStage, evalStage]);

export const recipe = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, dot, dash, underscore")
    .optional()
    .describe("Run folder; default: the file's name."),
  description: z.string().optional(),
  seed: whole().default(0),
  outputDir: z.string().default("runs"),
  model,
  engine: engine.prefault({}),
  server: server.prefault({ type: "embedded" }),
  ignoreWarnings: z
    .array(z.enum(warningNames))
    .default([])
    .describe("Warnings of `grouper check` that this recipe means, by the name in brackets behind them."),
  stages: z.array(stage).min(1).describe("In order; a recipe with one stage may write it under `stage` instead."),
});

export type Recipe = z.output<typeof recipe>;
export type RecipeInput = z.input<typeof recipe>;
export type TemplateSpec = z.output<typeof template>;
export type DataSpec = z.output<typeof data>;
export type RewardSpec = z.output<typeof rewardSpec>;
export type RewardsSpec = z.output<typeof rewards>;
export type SamplingSpec = z.output<typeof sampling>;
export type RolloutSpec = z.output<typeof rollout>;
export type OptimizerSpec = z.output<typeof optimizer>;
export type EvaluationSpec = z.output<typeof evaluation>;
export type CriticSpec = z.output<typeof critic>;
export type RlStage = z.output<typeof rlStage>;
export type SftStage = z.output<typeof sftStage>;
export type EvalStage = z.output<typeof evalStage>;
export type Stage = z.output<typeof stage>;
