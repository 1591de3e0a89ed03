/** What the engine's tests share: a tiny model, ragged examples, a loss that is worked by hand, and an engine that cleans up. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AdamParams, LossFunction, SampleRequest, SamplingParams } from "../../src/engine/engine.ts";
import { type NativeEngine, type NativeEngineOptions, openNativeEngine } from "../../src/engine/native.ts";
import { packageRoot } from "../../src/paths.ts";
import { readStamp } from "../../src/setup/stamp.ts";
import type { Example, Sequence } from "../../src/types.ts";

const built = (await readStamp(join(packageRoot, "build"))) !== null;
/** False where `grouper setup` has not been run. */
export const hasNativeEngine = built && existsSync(join(packageRoot, "dist", "src", "engine", "native-child.js"));
if (!hasNativeEngine) console.warn("Skipped: tests of the native engine, because grouper setup has not been run.");

export const tinyInit = {
  family: "qwen2",
  vocabSize: 61,
  hiddenSize: 32,
  intermediateSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  maxPositionEmbeddings: 128,
  // Larger than usual, so that the logits differ enough for a test to see a mistake.
  initializerRange: 0.2,
  eosTokenIds: [0],
} as const;

export const adam: AdamParams = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

export const greedy: SamplingParams = { temperature: 0, topP: 1, topK: 0, minP: 0, maxTokens: 8, stopTokenIds: [] };

export function requestOf(change: Partial<SampleRequest> = {}, params: Partial<SamplingParams> = {}): SampleRequest {
  return { promptTokenIds: [3, 4, 5], seed: 1, params: { ...greedy, temperature: 1, ...params }, ...change };
}

/** `length` tokens that depend on `seed`, trained from position `firstTrained` on. */
export function sequenceOf(length: number, seed: number, firstTrained = 1): Sequence {
  return {
    tokenIds: Int32Array.from({ length }, (_, t) => (7 * seed + 13 * t + ((t * t) % 5)) % tinyInit.vocabSize),
    lossMask: Uint8Array.from({ length }, (_, t) => (t >= firstTrained ? 1 : 0)),
    samplingLogprobs: new Float32Array(length),
  };
}

export function exampleOf(sequence: Sequence): Example {
  const zeros = () => new Float32Array(sequence.tokenIds.length);
  return { sequence, group: 0, reward: 0, advantages: zeros(), weights: zeros(), old: { logprobs: zeros() } };
}

export const raggedExamples: readonly Example[] = [9, 30, 4, 17, 2, 25, 11].map((length, i) =>
  exampleOf(sequenceOf(length, i + 1, Math.min(3, length - 1))),
);

/** Mean negative log-likelihood over `numTokens`: d loss / d logprob is -1 / numTokens. */
export function likelihoodLoss(numTokens: number): LossFunction {
  return ({ sequence }, { logprobs }) => ({
    loss: -Float64Array.from(logprobs).reduce((sum, logprob) => sum + logprob, 0) / numTokens,
    gradient: { dLogprobs: Float32Array.from(sequence.lossMask, (trained) => (trained ? -1 / numTokens : 0)) },
    metrics: {},
  });
}

/** Opens an engine for one test; `await using` closes it. */
export async function openTiny(options: Partial<NativeEngineOptions> = {}): Promise<NativeEngine> {
  const model = options.modelDir === undefined ? { init: tinyInit, seed: 7 } : {};
  return await openNativeEngine({ device: "cpu", numThreads: 1, ...model, ...options });
}
