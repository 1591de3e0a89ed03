/**
 * A Hugging Face model folder's config.json and generation_config.json: what the engine's mathematics needs of them, or one sentence
 * on why this model is not supported. Everything that would change the outputs and is not implemented is refused, never ignored.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import type { ModelShape } from "./engine.ts";

/** "llama3" scaling of rotary frequencies. */
export interface RopeScaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** All that the forward pass depends on. */
export interface ModelConfig extends ModelShape {
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  /** Bias on q, k and v (Qwen2). */
  readonly attentionBias: boolean;
  /** RMSNorm on every head's q and k (Qwen3). */
  readonly qkNorm: boolean;
  /** Standard deviation of random matrices. */
  readonly initializerRange: number;
}

export interface ModelFolder {
  readonly config: ModelConfig;
  /** The token that ends a text first, and any others; empty when the folder names none. */
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | null;
  /** config.json as it was, to be written back beside new weights. */
  readonly configJson: Readonly<Record<string, unknown>>;
  /** generation_config.json as it was, or null. */
  readonly generationConfigJson: Readonly<Record<string, unknown>> | null;
}

/** A model that starts from random weights. */
export interface ModelInit {
  readonly family: ModelShape["modelType"];
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Default: numAttentionHeads. */
  readonly numKeyValueHeads?: number | undefined;
  /** Default: hiddenSize / numAttentionHeads. */
  readonly headDim?: number | undefined;
  /** Default 256. */
  readonly maxPositionEmbeddings?: number | undefined;
  /** Default 10,000. */
  readonly ropeTheta?: number | undefined;
  /** Default true. */
  readonly tieWordEmbeddings?: boolean | undefined;
  /** Default 0.02. */
  readonly initializerRange?: number | undefined;
  readonly eosTokenIds?: readonly number[] | undefined;
  readonly bosTokenId?: number | null | undefined;
}

const families = {
  qwen2: { architecture: "Qwen2ForCausalLM", attentionBias: true, qkNorm: false },
  qwen3: { architecture: "Qwen3ForCausalLM", attentionBias: false, qkNorm: true },
  llama: { architecture: "LlamaForCausalLM", attentionBias: false, qkNorm: false },
} as const;

const size = z.int().positive();
const optionalSize = size.nullish();
const tokenIdOrIds = z.union([z.int().nonnegative(), z.array(z.int().nonnegative())]).nullish();
const rope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  partial_rotary_factor: z.number().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: optionalSize,
});

const configSchema = z.looseObject({
  model_type: z.enum(["qwen2", "qwen3", "llama"]),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: optionalSize,
  head_dim: optionalSize,
  max_position_embeddings: size,
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  partial_rotary_factor: z.number().optional(),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  use_sliding_window: z.boolean().nullish(),
  sliding_window: z.number().nullish(),
  layer_types: z.array(z.string()).nullish(),
  initializer_range: z.number().positive().default(0.02),
  bos_token_id: tokenIdOrIds,
  eos_token_id: tokenIdOrIds,
});

type ConfigJson = z.output<typeof configSchema>;

const generationSchema = z.looseObject({ bos_token_id: tokenIdOrIds, eos_token_id: tokenIdOrIds });

/** Throws RecipeError with one sentence that names the file and the fault. */
export async function readModelFolder(dir: string): Promise<ModelFolder> {
  const path = join(dir, "config.json");
  const raw = await readJson(path);
  if (raw === null) {
    throw new RecipeError(`Expected a Hugging Face model folder with config.json, but ${path} does not exist.`);
  }
  const { config, parsed } = checkConfig(raw, path);
  const generationPath = join(dir, "generation_config.json");
  const generationRaw = await readJson(generationPath);
  const generation = generationRaw === null ? null : parse(generationSchema, generationRaw, generationPath);
  return {
    config,
    // What generates stops at generation_config.json's list; config.json often names only the pre-training one.
    eosTokenIds: idList(generation?.eos_token_id ?? parsed.eos_token_id),
    bosTokenId: idList(generation?.bos_token_id ?? parsed.bos_token_id)[0] ?? null,
    configJson: raw,
    generationConfigJson: generation,
  };
}

/** config.json's content as the engine's configuration; `where` names the file in errors. */
export function parseModelConfig(raw: unknown, where: string): ModelConfig {
  return checkConfig(raw, where).config;
}

/** A folder that does not exist yet: the configuration that `init` describes, with the defaults filled in. */
export function modelFolderOfInit(init: ModelInit): ModelFolder {
  const { family, numAttentionHeads, hiddenSize } = init;
  const configJson = {
    architectures: [families[family].architecture],
    model_type: family,
    vocab_size: init.vocabSize,
    hidden_size: hiddenSize,
    intermediate_size: init.intermediateSize,
    num_hidden_layers: init.numHiddenLayers,
    num_attention_heads: numAttentionHeads,
    num_key_value_heads: init.numKeyValueHeads ?? numAttentionHeads,
    head_dim: init.headDim ?? Math.floor(hiddenSize / numAttentionHeads),
    max_position_embeddings: init.maxPositionEmbeddings ?? 256,
    rms_norm_eps: 1e-6,
    rope_theta: init.ropeTheta ?? 10_000,
    rope_scaling: null,
    tie_word_embeddings: init.tieWordEmbeddings ?? true,
    hidden_act: "silu",
    ...(family === "qwen2" ? { use_sliding_window: false } : { attention_bias: false }),
    initializer_range: init.initializerRange ?? 0.02,
    torch_dtype: "float32",
    ...(init.bosTokenId === undefined || init.bosTokenId === null ? {} : { bos_token_id: init.bosTokenId }),
    ...(init.eosTokenIds?.length
      ? { eos_token_id: init.eosTokenIds.length === 1 ? init.eosTokenIds[0] : [...init.eosTokenIds] }
      : {}),
  };
  return {
    config: parseModelConfig(configJson, "model.init"),
    eosTokenIds: init.eosTokenIds ?? [],
    bosTokenId: init.bosTokenId ?? null,
    configJson,
    generationConfigJson: null,
  };
}

function checkConfig(raw: unknown, where: string): { config: ModelConfig; parsed: ConfigJson } {
  refuseUnsupported(raw, where);
  const parsed = parse(configSchema, raw, where);
  const refuse = (what: string): never => {
    throw new RecipeError(`Expected ${where} to describe a model that Grouper implements, but ${what}.`);
  };
  const family = families[parsed.model_type];
  const heads = parsed.num_attention_heads;
  const keyValueHeads = parsed.num_key_value_heads ?? heads;
  const headDim = parsed.head_dim ?? (parsed.model_type === "qwen3" ? 128 : parsed.hidden_size / heads);
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    refuse(`a head dimension of ${headDim} (hidden_size ${parsed.hidden_size}, ${heads} heads) is not an even integer`);
  }
  if (heads % keyValueHeads !== 0)
    refuse(`${heads} attention heads cannot share ${keyValueHeads} key-value heads evenly`);
  if (parsed.hidden_act !== "silu") refuse(`hidden_act is "${parsed.hidden_act}", not "silu"`);
  if (parsed.mlp_bias) refuse("mlp_bias is true");
  if (parsed.attention_bias !== undefined && parsed.attention_bias !== family.attentionBias) {
    refuse(`attention_bias is ${parsed.attention_bias}, which ${parsed.model_type} models here have not`);
  }
  // Qwen2's files carry a sliding_window that use_sliding_window switches off.
  if (parsed.use_sliding_window) refuse("use_sliding_window is true");
  if (parsed.model_type === "llama" && parsed.sliding_window) refuse("sliding_window is set");
  const otherLayer = parsed.layer_types?.find((type) => type !== "full_attention");
  if (otherLayer !== undefined) refuse(`layer_types names ${otherLayer}`);
  const config: ModelConfig = {
    modelType: parsed.model_type,
    vocabSize: parsed.vocab_size,
    hiddenSize: parsed.hidden_size,
    intermediateSize: parsed.intermediate_size,
    numHiddenLayers: parsed.num_hidden_layers,
    numAttentionHeads: heads,
    numKeyValueHeads: keyValueHeads,
    headDim,
    maxPositionEmbeddings: parsed.max_position_embeddings,
    tieWordEmbeddings: parsed.tie_word_embeddings,
    rmsNormEps: parsed.rms_norm_eps,
    ropeTheta: parsed.rope_theta ?? parsed.rope_parameters?.rope_theta ?? 10_000,
    ropeScaling: ropeScalingOf(parsed, where),
    attentionBias: family.attentionBias,
    qkNorm: family.qkNorm,
    initializerRange: parsed.initializer_range,
  };
  return { config, parsed };
}

/** Named before the schema is asked, whose sentence about a missing field would hide the reason. */
function refuseUnsupported(raw: unknown, where: string): void {
  if (typeof raw !== "object" || raw === null) return;
  const fields = raw as Readonly<Record<string, unknown>>;
  if ("model_type" in fields && !(String(fields.model_type) in families)) {
    throw new RecipeError(
      `Expected model_type in ${where} to be one of ${Object.keys(families).join(", ")}, got ${JSON.stringify(fields.model_type)}.`,
    );
  }
  if (fields.quantization_config !== undefined && fields.quantization_config !== null) {
    throw new RecipeError(
      `Expected full-precision weights, but ${where} has a quantization_config. Use the unquantized model.`,
    );
  }
  for (const key of ["num_experts", "num_local_experts", "n_routed_experts"]) {
    if (fields[key])
      throw new RecipeError(
        `Expected a dense model, but ${where} has ${key}: mixtures of experts are not implemented.`,
      );
  }
}

/** transformers 4 writes rope_scaling, transformers 5 rope_parameters with rope_theta inside. */
function ropeScalingOf(parsed: ConfigJson, where: string): RopeScaling | null {
  const scaling = parsed.rope_parameters ?? parsed.rope_scaling;
  const partial = scaling?.partial_rotary_factor ?? parsed.partial_rotary_factor ?? 1;
  if (partial !== 1)
    throw new RecipeError(
      `Expected rotary positions on whole heads, but ${where} has partial_rotary_factor ${partial}.`,
    );
  if (!scaling) return null;
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return null;
  if (type !== "llama3") {
    throw new RecipeError(`Expected rope_type "default" or "llama3" in ${where}, got "${type}".`);
  }
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = scaling;
  if (!factor || !low_freq_factor || !high_freq_factor || !original_max_position_embeddings) {
    throw new RecipeError(
      `Expected llama3 rope scaling in ${where} to state factor, low_freq_factor, high_freq_factor and original_max_position_embeddings.`,
    );
  }
  if (high_freq_factor <= low_freq_factor) {
    throw new RecipeError(
      `Expected high_freq_factor above low_freq_factor in ${where}, got ${high_freq_factor} and ${low_freq_factor}.`,
    );
  }
  return {
    factor,
    lowFreqFactor: low_freq_factor,
    highFreqFactor: high_freq_factor,
    originalMaxPositionEmbeddings: original_max_position_embeddings,
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, raw: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue && issue.path.length > 0 ? issue.path.join(".") : "its content";
  throw new RecipeError(
    `Expected ${where} to be a valid model configuration, but ${field}: ${issue?.message ?? "is not"}.`,
  );
}

/** Null when the file does not exist. */
async function readJson(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  if (!existsSync(path)) return null;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new RecipeError(
      `Expected ${path} to be JSON, but it cannot be parsed: ${cause instanceof Error ? cause.message : cause}.`,
      { cause },
    );
  }
  return parse(z.looseObject({}), value, path);
}

function idList(ids: number | readonly number[] | null | undefined): readonly number[] {
  if (ids === null || ids === undefined) return [];
  return typeof ids === "number" ? [ids] : ids;
}
