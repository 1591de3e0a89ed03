/** What a recipe will do, in numbers, before it does it. */
import type { Recipe, RlStage, Stage } from "./schema.ts";

export interface StagePlan {
  readonly name: string;
  readonly type: Stage["type"];
  /** One plain sentence. */
  readonly sentence: string;
  /** Upper bounds where lengths are not known. */
  readonly numbers: Readonly<Record<string, number>>;
}

export interface Plan {
  readonly stages: readonly StagePlan[];
  /** Of a model that starts from random weights; null where config.json decides. */
  readonly numParameters: number | null;
  /** Weights, gradient and Adam's moments in bytes; activations come on top. */
  readonly trainingBytes: number | null;
}

/** `vocabSize` of the tokenizer, where known. */
export function planOf(recipe: Recipe, vocabSize: number | null): Plan {
  const numParameters = vocabSize === null ? null : countParameters(recipe, vocabSize);
  const bytesPerParameter = recipe.engine.bf16Moments ? 4 + 4 + 2 + 2 : 4 + 4 + 4 + 4;
  return {
    stages: recipe.stages.map(planStage),
    numParameters,
    trainingBytes: numParameters === null ? null : numParameters * bytesPerParameter,
  };
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

function planRl({
  rollout,
  steps,
  updatesPerBatch,
  epochsPerBatch,
  algorithm,
}: RlStage): Omit<StagePlan, "name" | "type"> {
  const completionsPerStep = rollout.promptsPerStep * rollout.groupSize;
  const optimizerSteps = steps * updatesPerBatch * epochsPerBatch;
  const completionsPerUpdate = completionsPerStep / updatesPerBatch;
  const { maxTokens } = rollout.sampling;
  return {
    sentence:
      `${steps} steps of ${algorithm.type}: ${rollout.promptsPerStep} prompts x ${rollout.groupSize} completions = ${completionsPerStep} per step, ` +
      `trained in ${updatesPerBatch * epochsPerBatch} optimizer step${updatesPerBatch * epochsPerBatch === 1 ? "" : "s"} of ${completionsPerUpdate} completions, ` +
      `at most ${maxTokens} tokens each.`,
    numbers: {
      completionsPerStep,
      completionsPerUpdate,
      updatesPerStep: updatesPerBatch * epochsPerBatch,
      optimizerSteps,
      completions: steps * completionsPerStep,
      maxCompletionTokens: steps * completionsPerStep * maxTokens,
    },
  };
}

/** Of a random model: embedding, layers, norms, and the head unless it is tied. */
function countParameters({ model: { init } }: Recipe, vocabSize: number): number | null {
  if (init === undefined) return null;
  const {
    hiddenSize,
    intermediateSize,
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads = numAttentionHeads,
  } = init;
  const headDim = init.headDim ?? hiddenSize / numAttentionHeads;
  const [q, kv] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
  const biases = init.family === "qwen2" ? q + 2 * kv : 0;
  const qkNorms = init.family === "qwen3" ? 2 * headDim : 0;
  const layer = hiddenSize * (2 * q + 2 * kv + 3 * intermediateSize) + biases + qkNorms + 2 * hiddenSize;
  return (init.tieWordEmbeddings ? 1 : 2) * vocabSize * hiddenSize + numHiddenLayers * layer + hiddenSize;
}
