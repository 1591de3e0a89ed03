/** What crosses between Grouper and its engine process: typed arrays, numbers, booleans and strings, one message per call. */
import type { OptimStepResult } from "./engine.ts";
import type { ModelConfig } from "./model-folder.ts";
import type { PackedBatch, PackedOutputs } from "./packing.ts";

/** How often the process says that it is alive. */
export const heartbeatIntervalMs = 1000;

export interface NativeOptions {
  readonly model: ModelConfig;
  /** Empty: random weights from initSeed. */
  readonly weightsDir: string;
  readonly initSeed: number;
  readonly device: string;
  readonly dtype: string;
  readonly reference: boolean;
  readonly valueHead: boolean;
  /** 0: no adapter. */
  readonly loraRank: number;
  readonly loraAlpha: number;
  readonly loraTargets: readonly string[];
  readonly activationCheckpointing: boolean;
  readonly bf16Moments: boolean;
  readonly headChunkTokens: number;
  readonly numThreads: number;
  readonly maxBatch: number;
  readonly maxCacheTokens: number;
}

export interface NativeInfo {
  readonly device: string;
  readonly dtype: string;
  readonly torchVersion: string;
  readonly numParameters: number;
  readonly numTrainableParameters: number;
  readonly policyVersion: number;
  readonly notes: readonly string[];
}

export interface NativeForwardOptions {
  readonly reference: boolean;
  readonly entropies: boolean;
  readonly values: boolean;
  readonly temperature: number;
}

export interface ForwardCall {
  readonly batch: PackedBatch;
  readonly options: NativeForwardOptions;
}

/** [total] each; undefined is zero. */
export interface PackedGradients {
  readonly dLogprobs: Float32Array | undefined;
  readonly dEntropies: Float32Array | undefined;
  readonly dValues: Float32Array | undefined;
}

export interface NativeAdam {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly valueLearningRate: number;
}

export interface NativeSampleRequest {
  /** Unique over the life of the process; cancel names it. */
  readonly id: number;
  readonly promptTokenIds: Int32Array;
  readonly seed: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly stopTokenIds: Int32Array;
}

export interface NativeSampleResult {
  readonly tokenIds: Int32Array;
  readonly logprobs: Float32Array;
  /** False: the length limit ended it. */
  readonly stopped: boolean;
  readonly policyVersion: number;
}

/** Every call; an argument of null is none. */
export interface Verbs {
  open(options: NativeOptions): NativeInfo;
  forward(call: ForwardCall): PackedOutputs;
  forwardTrain(call: ForwardCall): PackedOutputs;
  backward(gradients: PackedGradients): void;
  optimStep(adam: NativeAdam): OptimStepResult & { readonly policyVersion: number };
  zeroGrad(none: null): void;
  sample(requests: readonly NativeSampleRequest[]): NativeSampleResult[];
  cancel(ids: readonly number[]): void;
  refreshReference(none: null): void;
  saveWeights(dir: string): void;
  saveAdapter(dir: string): void;
  saveState(dir: string): void;
  /** The policy version of the state. */
  loadState(dir: string): number;
  weightsHash(none: null): string;
  gradient(name: string): Float32Array | undefined;
  dispose(none: null): void;
}

export type Verb = keyof Verbs;
export type Argument<V extends Verb> = Parameters<Verbs[V]>[0];
export type Result<V extends Verb> = ReturnType<Verbs[V]>;

export type Request = {
  readonly [V in Verb]: { readonly id: number; readonly verb: V; readonly argument: Argument<V> };
}[Verb];

export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly detail: string;
}

export type Reply =
  | { readonly kind: "heartbeat" }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure };
