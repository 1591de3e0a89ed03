/** How a native engine is opened, with every default in one place. */
import type { ModelConfig, ModelInit } from "./model-folder.ts";
import type { NativeOptions } from "./protocol.ts";

export interface LoraOptions {
  readonly rank: number;
  /** The adapter's product is multiplied by alpha / rank. */
  readonly alpha: number;
  /** q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj */
  readonly targets: readonly string[];
}

export interface NativeEngineOptions {
  /** Named in errors, where a run has several engines: "critic". Default: none. */
  readonly role?: string | undefined;
  /** Hugging Face folder with config.json and safetensors; either this or `init`. */
  readonly modelDir?: string | undefined;
  /** Random weights of this shape. */
  readonly init?: ModelInit | undefined;
  /** Of the random weights: `init`, the value head, the adapter. Default 0. */
  readonly seed?: number | undefined;
  /** auto, cpu, cuda or cuda:N. Default auto. */
  readonly device?: string | undefined;
  /** Type of the matrix products. Default auto: bfloat16 on CUDA, float32 on a CPU. */
  readonly dtype?: "auto" | "float32" | "bfloat16" | undefined;
  /** Keep a frozen copy of the weights. Default false. */
  readonly reference?: boolean | undefined;
  /** Default false. */
  readonly valueHead?: boolean | undefined;
  readonly lora?: LoraOptions | undefined;
  /** Recompute activations in the backward pass. Default false. */
  readonly activationCheckpointing?: boolean | undefined;
  /** Adam's moments in bfloat16. Default false. */
  readonly bf16Moments?: boolean | undefined;
  /** Token budget of one packed pass. Default 16,384. */
  readonly maxTokensPerMicroBatch?: number | undefined;
  /** Rows of logits that exist at a time. Default 0: chosen by the engine. */
  readonly headChunkTokens?: number | undefined;
  /** CPU threads. Default 0: libtorch's choice. */
  readonly numThreads?: number | undefined;
  /** Sequences decoded together. Default 256. */
  readonly maxBatch?: number | undefined;
  /** Key-value slots in all, in tokens. Default 262,144. */
  readonly maxCacheTokens?: number | undefined;
  /** Deadline of one call. Default one hour. */
  readonly callTimeoutMs?: number | undefined;
  /** Silence after which the engine process counts as hung. Default two minutes. */
  readonly heartbeatTimeoutMs?: number | undefined;
  /** Where set-up put the addon. Default: Grouper's build/. */
  readonly buildDir?: string | undefined;
}

/** What the engine process is told. */
export function nativeOptions(options: NativeEngineOptions, model: ModelConfig): NativeOptions {
  const { lora } = options;
  return {
    model,
    weightsDir: options.modelDir ?? "",
    initSeed: options.seed ?? 0,
    device: options.device ?? "auto",
    dtype: options.dtype ?? "auto",
    reference: options.reference ?? false,
    valueHead: options.valueHead ?? false,
    loraRank: lora?.rank ?? 0,
    loraAlpha: lora?.alpha ?? 0,
    loraTargets: lora?.targets ?? [],
    activationCheckpointing: options.activationCheckpointing ?? false,
    bf16Moments: options.bf16Moments ?? false,
    headChunkTokens: options.headChunkTokens ?? 0,
    numThreads: options.numThreads ?? 0,
    maxBatch: options.maxBatch ?? 256,
    maxCacheTokens: options.maxCacheTokens ?? 262_144,
  };
}
