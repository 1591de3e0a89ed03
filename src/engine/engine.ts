/**
 * The tensor engine as the loops see it: verbs on sequences, never tensor operations.
 *
 * An engine holds one policy (weights, gradient, optimizer state), optionally a frozen reference copy, a value head and a LoRA
 * adapter. It computes per-token outputs, takes their derivatives back to the weights, steps, samples, and saves.
 */
import type { Example, FinishReason, Sequence, SequenceLoss, TokenGradient, TokenOutputs } from "../types.ts";

/** The shape of a decoder-only transformer of the Qwen2, Qwen3 or Llama family, named as in config.json. */
export interface ModelShape {
  readonly modelType: "qwen2" | "qwen3" | "llama";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
}

export interface EngineInfo {
  readonly name: string;
  /** e.g. "cpu" or "cuda:0 (NVIDIA H100)". */
  readonly device: string;
  /** Type of the matrix products. Master weights and log-sum-exp are always float32. */
  readonly dtype: "float32" | "bfloat16";
  readonly model: ModelShape;
  readonly numParameters: number;
  readonly numTrainableParameters: number;
  /** e.g. "2.13.0+cpu"; undefined for engines without libtorch. */
  readonly torchVersion?: string;
  /** What was chosen or is missing, one sentence each, e.g. which attention kernel is in use. */
  readonly notes: readonly string[];
}

/** Which weights a forward pass reads. */
export type Weights = "policy" | "reference";

export interface ForwardOptions {
  readonly weights?: Weights;
  readonly entropies?: boolean;
  readonly values?: boolean;
  /** Logits are divided by it before the log-softmax. Default 1. */
  readonly temperature?: number;
}

export interface AdamParams {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled; applied to matrices only (not to norms and biases). */
  readonly weightDecay: number;
  /** Global L2 norm above which the gradient is scaled down; Infinity for none. */
  readonly maxGradNorm: number;
  /** Learning rate of the value head; default learningRate. */
  readonly valueLearningRate?: number;
}

export interface OptimStepResult {
  /** L2 norm of the whole gradient before clipping; NaN or Infinity when the step was skipped. */
  readonly gradNorm: number;
  /** True when the gradient was not finite: weights, moments and step count are as before, the gradient is zeroed. */
  readonly skipped: boolean;
}

export interface SamplingParams {
  /** 0 = greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 = off. */
  readonly topK: number;
  readonly minP: number;
  readonly maxTokens: number;
  readonly minTokens?: number;
  readonly stopTokenIds: readonly number[];
}

/** One sequence to sample. Its stream depends on `seed` and its own tokens alone, never on what else is in the batch. */
export interface SampleRequest {
  readonly promptTokenIds: readonly number[];
  readonly seed: number;
  readonly params: SamplingParams;
}

export interface SampleResult {
  readonly tokenIds: readonly number[];
  /** [T] nats, of the distribution sampled from. */
  readonly logprobs: Float32Array;
  readonly finishReason: FinishReason;
  readonly policyVersion: number;
}

export type LossFunction = (example: Example, outputs: TokenOutputs) => SequenceLoss;

export interface Engine extends AsyncDisposable {
  readonly info: EngineInfo;
  /** Number of optimizer steps that changed the weights, over the whole life of the run. */
  readonly policyVersion: number;

  /** [S] outputs, no gradient. Throws when `weights` is "reference" and the engine was opened without one. */
  forward(sequences: readonly Sequence[], options?: ForwardOptions): Promise<TokenOutputs[]>;

  /**
   * Adds the gradient of the summed losses to the accumulated gradient and returns the losses in order.
   * Sequences are packed into micro-batches of at most the engine's token budget; the sum does not depend on the split.
   * A call that throws leaves a gradient of zero, so that the whole step can be tried again.
   */
  forwardBackward(examples: readonly Example[], loss: LossFunction, options?: ForwardOptions): Promise<SequenceLoss[]>;

  /** Clips, steps and zeroes the gradient. policyVersion goes up by one unless the step was skipped. */
  optimStep(adam: AdamParams): Promise<OptimStepResult>;

  /** One completion per request, in order; requests of concurrent calls share the running batch. Aborting frees their slots. */
  sample(requests: readonly SampleRequest[], signal?: AbortSignal): Promise<SampleResult[]>;

  /** Copies the policy over the reference weights. */
  refreshReference(): Promise<void>;

  /** Writes config.json, safetensors and (with LoRA) the adapter folder; the caller adds the tokenizer. Not atomic by itself. */
  saveWeights(dir: string): Promise<void>;

  /** Weights, moments, step count, reference: loadState after saveState continues bit for bit on a CPU. Not atomic by itself. */
  saveState(dir: string): Promise<void>;
  loadState(dir: string): Promise<void>;

  /** SHA-256 over all policy weights in name order: equal hashes mean equal weights. */
  weightsHash(): Promise<string>;
}

/** Gradient of one sequence as it crosses to the engine: entries where lossMask is 0 are ignored. */
export type { TokenGradient };

/** crashed, timeout and disposed are final: open another engine and load its state. The others leave the engine usable. */
export type EngineFault = "crashed" | "timeout" | "disposed" | "busy" | "outOfMemory" | "badArgument" | "failed";

/** A call on an engine failed. `message` is one sentence; `detail` is for a log. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly fault: EngineFault;
  readonly detail: string;

  constructor(fault: EngineFault, message: string, detail = "") {
    super(message);
    this.fault = fault;
    this.detail = detail;
  }
}
