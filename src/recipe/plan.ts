/** What a recipe will do, in numbers, before it does it. */
import { basename } from "node:path";
import { createObjective } from "../objectives/create.ts";
import { rewardLabel } from "../reward/reward.ts";
import type { LoraSpec, ModelInit, ModelSpec } from "./model-schema.ts";
import { primaryReward } from "./primary.ts";
import type { Recipe, RlStage, RolloutSpec, Stage } from "./schema.ts";

export interface StagePlan {
  readonly name: string;
  readonly type: Stage["type"];
  /** One plain sentence. */
  readonly sentence: string;
  /** Another, on what watches an rl stage. */
  readonly audit?: string;
  /** Upper bounds where lengths are not known. */
  readonly numbers: Readonly<Record<string, number>>;
}

export interface Plan {
  readonly stages: readonly StagePlan[];
  /** Of random weights and of known models by their folder's name; null where only config.json can tell. */
  readonly numParameters: number | null;
  /** Float32 weights, gradient, Adam's moments, the reference and a critic of its own in bytes; activations and, on CUDA, copies in bfloat16 come on top. */
  readonly trainingBytes: number | null;
}

/** `vocabSize` of the tokenizer, where known: random weights have as many rows. */
export function planOf(recipe: Recipe, vocabSize: number | null): Plan {
  const shape = shapeOf(recipe.model, vocabSize);
  const numParameters = shape === null ? null : countParameters(shape);
  const criticShape = criticShapeOf(recipe, shape);
  const policyBytes = shape === null ? null : trainingBytes(recipe, shape, usesReference(recipe));
  const criticBytes =
    criticShape === null ? null : criticShape === "none" ? 0 : trainingBytes(recipe, criticShape, false);
  return {
    stages: recipe.stages.map(planStage),
    numParameters,
    trainingBytes: policyBytes === null || criticBytes === null ? null : policyBytes + criticBytes,
  };
}

/** Master weights, gradient and moments; one more copy of the weights where a stage compares with a reference. */
function trainingBytes({ model: { lora }, engine }: Recipe, shape: Shape, hasReference: boolean): number {
  const numParameters = countParameters(shape);
  const numTrained = lora === undefined ? numParameters : countAdapter(shape, lora);
  const momentBytes = engine.bf16Moments ? 2 + 2 : 4 + 4;
  const frozenBytes = lora === undefined ? 0 : numParameters * FLOAT32;
  // With an adapter the reference is the frozen base itself.
  const referenceBytes = hasReference && lora === undefined ? numParameters * FLOAT32 : 0;
  return numTrained * (FLOAT32 + FLOAT32 + momentBytes) + frozenBytes + referenceBytes;
}

const FLOAT32 = 4;

function usesReference({ stages }: Recipe): boolean {
  return stages.some((stage) => stage.type === "rl" && createObjective(stage.algorithm).needs.includes("refLogprobs"));
}

/** Of the largest critic that is a model of its own; null where its folder must tell. */
function criticShapeOf({ stages }: Recipe, policy: Shape | null): Shape | null | "none" {
  let largest: Shape | "none" = "none";
  for (const stage of stages) {
    if (stage.type !== "rl" || stage.critic?.weights !== "own") continue;
    const { path } = stage.critic;
    const shape = path === undefined ? policy : shapeOf({ path }, null);
    if (shape === null) return null;
    if (largest === "none" || countParameters(shape) > countParameters(largest)) largest = shape;
  }
  return largest;
}

function planStage(stage: Stage): StagePlan {
  const name = stage.name ?? stage.type;
  switch (stage.type) {
    case "rl":
      return { name, type: "rl", ...planRl(stage) };
    case "sft": {
      const { steps, epochs, batchSize } = stage;
      const length = steps === undefined ? `${epochs} epochs` : `${steps} optimizer steps`;
      return {
        name,
        type: "sft",
        sentence: `${length} of ${batchSize} sequences each.`,
        numbers: { batchSize, ...(steps === undefined ? {} : { optimizerSteps: steps, sequences: steps * batchSize }) },
      };
    }
    case "eval":
      return {
        name,
        type: "eval",
        sentence: `${stage.numSamples} samples per prompt.`,
        numbers: { samplesPerPrompt: stage.numSamples },
      };
    default:
      throw new Error(`unknown stage ${JSON.stringify(stage satisfies never)}`);
  }
}

function planRl(stage: RlStage): Omit<StagePlan, "name" | "type"> {
  const { rollout, steps, updatesPerBatch, epochsPerBatch, algorithm } = stage;
  const completionsPerStep = rollout.promptsPerStep * rollout.groupSize;
  const optimizerSteps = steps * updatesPerBatch * epochsPerBatch;
  const completionsPerUpdate = completionsPerStep / updatesPerBatch;
  const maxTokens = longestContext(rollout);
  const refilled =
    rollout.dynamicSampling?.refill === true
      ? `, and up to ${rollout.dynamicSampling.maxBatches} times as many sampled to fill the batches`
      : "";
  const grows = rollout.contextSchedule === undefined ? "" : describeContexts(rollout);
  const { completions, maxCompletionTokens } = countCompletions(rollout, steps);
  return {
    sentence:
      `${steps} steps of ${algorithm.type}: ${rollout.promptsPerStep} prompts x ${rollout.groupSize} completions = ${completionsPerStep} per step, ` +
      `trained in ${updatesPerBatch * epochsPerBatch} optimizer step${updatesPerBatch * epochsPerBatch === 1 ? "" : "s"} of ${completionsPerUpdate} completions, ` +
      `at most ${maxTokens} tokens each: up to ${shortCount(maxCompletionTokens)} tokens in all` +
      `${refilled}${grows}.` +
      describeCritic(stage),
    audit: describeAudit(stage),
    numbers: {
      completionsPerStep,
      completionsPerUpdate,
      updatesPerStep: updatesPerBatch * epochsPerBatch,
      optimizerSteps,
      completions,
      maxCompletionTokens,
    },
  };
}

/** A sentence on what learns beside the policy, after a space; nothing without a critic. */
function describeCritic({ algorithm, critic, updatesPerBatch, epochsPerBatch }: RlStage): string {
  if (critic === undefined) return "";
  const own = (critic.updatesPerBatch ?? updatesPerBatch) * (critic.epochsPerBatch ?? epochsPerBatch);
  const kind =
    critic.weights === "shared" ? "a head on the policy" : `a model of its own, with ${own} optimizer steps per step`;
  const { pretrainingSteps = 0 } = createObjective(algorithm).critic ?? {};
  const alone = pretrainingSteps === 0 ? "" : `; it learns alone for the first ${pretrainingSteps} steps`;
  return ` The critic is ${kind}${alone}.`;
}

function describeAudit(stage: RlStage): string {
  const { enabled, shadow, samplesPerStep } = stage.audit;
  if (!enabled) return "The audit is off: nothing watches for reward hacking.";
  const labels = shadow.map((spec) => (typeof spec === "string" ? spec : rewardLabel(spec)));
  const held =
    labels.length === 0 ? "with no held-out reward beside" : `and compares the held-out ${labels.join(" and ")} with`;
  return `The audit looks for signs of reward hacking in ${samplesPerStep} completions of each step, ${held} ${primaryReward(stage)}.`;
}

/** The largest generation limit of a stage. */
export function longestContext({ sampling, contextSchedule = [] }: RolloutSpec): number {
  return Math.max(sampling.maxTokens, ...contextSchedule.map(({ maxTokens }) => maxTokens));
}

/** Over all steps, with every context entered as early as it can be. */
function countCompletions(
  { promptsPerStep, groupSize, sampling, contextSchedule = [] }: RolloutSpec,
  steps: number,
): { readonly completions: number; readonly maxCompletionTokens: number } {
  const contexts = [{ begin: 0, maxTokens: sampling.maxTokens, groupSize }];
  for (const { maxTokens, groupSize: ownSize, afterStep = steps, whenTruncated } of contextSchedule) {
    const before = contexts.at(-1)!;
    const bySteps = Math.max(afterStep, before.begin + 1);
    const byShare = before.begin + (whenTruncated?.overSteps ?? steps);
    contexts.push({ begin: Math.min(bySteps, byShare, steps), maxTokens, groupSize: ownSize ?? before.groupSize });
  }
  let completions = 0;
  let maxCompletionTokens = 0;
  contexts.forEach((context, i) => {
    const numSteps = (contexts[i + 1]?.begin ?? steps) - context.begin;
    completions += numSteps * promptsPerStep * context.groupSize;
    maxCompletionTokens += numSteps * promptsPerStep * context.groupSize * context.maxTokens;
  });
  return { completions, maxCompletionTokens };
}

/** e.g. "; completions have at most 8 tokens, then 12 after step 5, then 16 once more than 20 % of the completions of 10 steps are cut off". */
function describeContexts({ sampling, contextSchedule = [] }: RolloutSpec): string {
  const later = contextSchedule.map(({ maxTokens, groupSize, afterStep, whenTruncated }) => {
    const begins = [
      afterStep === undefined ? "" : `after step ${afterStep}`,
      whenTruncated === undefined
        ? ""
        : `once more than ${Number((100 * whenTruncated.above).toFixed(2))} % of the completions of ${whenTruncated.overSteps} steps are cut off`,
    ].filter((text) => text !== "");
    return `then ${maxTokens}${groupSize === undefined ? "" : ` (${groupSize} completions per prompt)`} ${begins.join(" or ")}`;
  });
  return `; completions have at most ${sampling.maxTokens} tokens, ${later.join(", ")}`;
}

/** e.g. "2.6M". */
function shortCount(count: number): string {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(count);
}

type Shape = Omit<ModelInit, "maxPositionEmbeddings" | "ropeTheta" | "initializerRange"> & {
  readonly vocabSize: number;
};

/** From config.json of the models on Hugging Face; other sizes of Qwen2.5 are told by their folder once it is there. */
const KNOWN_SHAPES: Readonly<Record<string, Shape>> = {
  "Qwen2.5-0.5B": qwen25(896, 4864, 24, 14, 2, 151_936, true),
  "Qwen2.5-1.5B": qwen25(1536, 8960, 28, 12, 2, 151_936, true),
  "Qwen2.5-32B": qwen25(5120, 27_648, 64, 40, 8, 152_064, false),
  "Qwen2.5-7B": qwen25(3584, 18_944, 28, 28, 4, 152_064, false),
};

function qwen25(
  hiddenSize: number,
  intermediateSize: number,
  numHiddenLayers: number,
  numAttentionHeads: number,
  numKeyValueHeads: number,
  vocabSize: number,
  tieWordEmbeddings: boolean,
): Shape {
  return {
    family: "qwen2",
    hiddenSize,
    intermediateSize,
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    vocabSize,
    tieWordEmbeddings,
  };
}

/** A folder is known by its name, e.g. models/Qwen2.5-1.5B-Instruct: base, Math and Instruct share their shape. */
function shapeOf({ path, init }: ModelSpec, vocabSize: number | null): Shape | null {
  if (init !== undefined) return vocabSize === null ? null : { ...init, vocabSize };
  const name = basename(path ?? "")
    .replace("-Math", "")
    .replace(/-Instruct$/, "");
  return KNOWN_SHAPES[name] ?? null;
}

/** Embedding, layers, norms, and the head unless it is tied. */
function countParameters(shape: Shape): number {
  const { hiddenSize, numHiddenLayers, family, vocabSize, tieWordEmbeddings } = shape;
  const { q_proj: q, k_proj: k, v_proj: v } = linears(shape);
  const biases = family === "qwen2" ? q.out + k.out + v.out : 0;
  const qkNorms = family === "qwen3" ? 2 * headDimOf(shape) : 0;
  const matrices = Object.values(linears(shape)).reduce((sum, linear) => sum + linear.in * linear.out, 0);
  const layer = matrices + biases + qkNorms + 2 * hiddenSize;
  return (tieWordEmbeddings ? 1 : 2) * vocabSize * hiddenSize + numHiddenLayers * layer + hiddenSize;
}

/** Two matrices of `rank` beside every target of every layer. */
function countAdapter(shape: Shape, { rank, targets }: LoraSpec): number {
  const sides = targets
    .map((target) => linears(shape)[target])
    .reduce((sum, linear) => sum + linear.in + linear.out, 0);
  return shape.numHiddenLayers * rank * sides;
}

function headDimOf({ headDim, hiddenSize, numAttentionHeads }: Shape): number {
  return headDim ?? hiddenSize / numAttentionHeads;
}

/** The linear layers of one block by their names in a checkpoint. */
function linears(shape: Shape): Record<LoraSpec["targets"][number], { readonly in: number; readonly out: number }> {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads = numAttentionHeads } = shape;
  const q = numAttentionHeads * headDimOf(shape);
  const kv = numKeyValueHeads * headDimOf(shape);
  return {
    q_proj: { in: hiddenSize, out: q },
    k_proj: { in: hiddenSize, out: kv },
    v_proj: { in: hiddenSize, out: kv },
    o_proj: { in: q, out: hiddenSize },
    gate_proj: { in: hiddenSize, out: intermediateSize },
    up_proj: { in: hiddenSize, out: intermediateSize },
    down_proj: { in: intermediateSize, out: hiddenSize },
  };
}
