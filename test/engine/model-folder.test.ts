import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { modelFolderOfInit, parseModelConfig, readModelFolder } from "../../src/engine/model-folder.ts";
import { RecipeError } from "../../src/errors.ts";

/** The fields of Qwen2.5-1.5B's config.json. */
const qwen25 = {
  architectures: ["Qwen2ForCausalLM"],
  attention_dropout: 0.0,
  bos_token_id: 151643,
  eos_token_id: 151643,
  hidden_act: "silu",
  hidden_size: 1536,
  initializer_range: 0.02,
  intermediate_size: 8960,
  max_position_embeddings: 131072,
  max_window_layers: 28,
  model_type: "qwen2",
  num_attention_heads: 12,
  num_hidden_layers: 28,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 131072,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  use_cache: true,
  use_mrope: false,
  use_sliding_window: false,
  vocab_size: 151936,
};

/** The fields of Llama-3.2-1B's config.json. */
const llama32 = {
  architectures: ["LlamaForCausalLM"],
  attention_bias: false,
  bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009],
  head_dim: 64,
  hidden_act: "silu",
  hidden_size: 2048,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: "llama",
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_scaling: {
    factor: 32.0,
    high_freq_factor: 4.0,
    low_freq_factor: 1.0,
    original_max_position_embeddings: 8192,
    rope_type: "llama3",
  },
  rope_theta: 500000.0,
  tie_word_embeddings: true,
  vocab_size: 128256,
};

const { rope_theta, rope_scaling, ...llama32WithoutRope } = llama32;

describe("parseModelConfig", () => {
  it("reads Qwen2.5: biases on q, k, v, and a sliding window that is switched off", () => {
    expect(parseModelConfig(qwen25, "config.json")).toEqual({
      modelType: "qwen2",
      vocabSize: 151936,
      hiddenSize: 1536,
      intermediateSize: 8960,
      numHiddenLayers: 28,
      numAttentionHeads: 12,
      numKeyValueHeads: 2,
      headDim: 128,
      maxPositionEmbeddings: 131072,
      tieWordEmbeddings: true,
      rmsNormEps: 1e-6,
      ropeTheta: 1_000_000,
      ropeScaling: null,
      attentionBias: true,
      qkNorm: false,
      initializerRange: 0.02,
    });
  });

  it("reads Qwen3: normed q and k, a head dimension of its own", () => {
    const qwen3 = {
      ...qwen25,
      model_type: "qwen3",
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 8,
    };
    const config = parseModelConfig({ ...qwen3, head_dim: 128, attention_bias: false }, "config.json");
    expect(config).toMatchObject({ modelType: "qwen3", headDim: 128, qkNorm: true, attentionBias: false });
  });

  it("reads Llama 3's scaled rotary frequencies", () => {
    const config = parseModelConfig(llama32, "config.json");
    expect(config.ropeTheta).toBe(500_000);
    expect(config.ropeScaling).toEqual({
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
    });
  });

  it("reads transformers 5's rope_parameters as it reads rope_theta and rope_scaling", () => {
    const modern = { ...llama32WithoutRope, rope_parameters: { ...rope_scaling, rope_theta } };
    expect(parseModelConfig(modern, "config.json")).toEqual(parseModelConfig(llama32, "config.json"));
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["another family", { model_type: "gemma3" }, /model_type .* one of qwen2, qwen3, llama, got "gemma3"/],
    ["quantised weights", { quantization_config: { bits: 4 } }, /quantization_config/],
    ["mixtures of experts", { num_experts: 64 }, /num_experts/],
    ["a sliding window in use", { use_sliding_window: true }, /use_sliding_window is true/],
    ["layers with a sliding window", { layer_types: ["full_attention", "sliding_attention"] }, /sliding_attention/],
    ["another activation", { hidden_act: "gelu" }, /hidden_act is "gelu"/],
    ["yarn", { rope_scaling: { rope_type: "yarn", factor: 4 } }, /"default" or "llama3".*got "yarn"/],
    ["partial rotary positions", { partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5/],
    ["heads that do not divide", { num_key_value_heads: 5 }, /12 attention heads cannot share 5/],
    ["half a llama3 scaling", { rope_scaling: { rope_type: "llama3", factor: 8 } }, /low_freq_factor/],
    ["a missing size", { hidden_size: undefined }, /hidden_size/],
    ["a size that is no number", { vocab_size: "many" }, /vocab_size/],
  ])("refuses %s in one sentence", (_, change, message) => {
    expect(() => parseModelConfig({ ...qwen25, ...change }, "some/config.json")).toThrow(RecipeError);
    expect(() => parseModelConfig({ ...qwen25, ...change }, "some/config.json")).toThrow(message);
    expect(() => parseModelConfig({ ...qwen25, ...change }, "some/config.json")).toThrow(/some\/config\.json/);
  });

  it("refuses biases that a Llama's other layers would have too", () => {
    expect(() => parseModelConfig({ ...llama32, attention_bias: true }, "config.json")).toThrow(
      /attention_bias is true/,
    );
    expect(() => parseModelConfig({ ...llama32, mlp_bias: true }, "config.json")).toThrow(/mlp_bias is true/);
  });
});

describe("readModelFolder", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "grouper-model-"));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it("takes the stop tokens of generation_config.json over those of config.json", async () => {
    await writeFile(join(dir, "config.json"), JSON.stringify(qwen25));
    await writeFile(join(dir, "generation_config.json"), JSON.stringify({ eos_token_id: [151645, 151643] }));
    const folder = await readModelFolder(dir);
    expect(folder.eosTokenIds).toEqual([151645, 151643]);
    expect(folder.bosTokenId).toBe(151643);
  });

  it("takes those of config.json where nothing else names any", async () => {
    await writeFile(join(dir, "config.json"), JSON.stringify(llama32));
    expect((await readModelFolder(dir)).eosTokenIds).toEqual([128001, 128008, 128009]);
  });

  it("keeps config.json as it was, fields of no use here included", async () => {
    await writeFile(join(dir, "config.json"), JSON.stringify(qwen25));
    expect((await readModelFolder(dir)).configJson).toEqual(qwen25);
  });

  it("names the missing file", async () => {
    await expect(readModelFolder(dir)).rejects.toThrow(`${join(dir, "config.json")} does not exist`);
  });

  it("names the file that is not JSON", async () => {
    await writeFile(join(dir, "config.json"), '{"model_type": "qwen2",');
    await expect(readModelFolder(dir)).rejects.toThrow(/Expected .*config\.json to be JSON/);
  });
});

describe("modelFolderOfInit", () => {
  const init = {
    family: "qwen3" as const,
    vocabSize: 40,
    hiddenSize: 48,
    intermediateSize: 96,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    eosTokenIds: [2],
  };

  it("writes a config.json that reads back as itself", () => {
    const folder = modelFolderOfInit(init);
    expect(parseModelConfig(JSON.parse(JSON.stringify(folder.configJson)), "written")).toEqual(folder.config);
    expect(folder.configJson).toMatchObject({ architectures: ["Qwen3ForCausalLM"], eos_token_id: 2, head_dim: 12 });
    expect(folder.config).toMatchObject({ numKeyValueHeads: 4, maxPositionEmbeddings: 256, tieWordEmbeddings: true });
  });

  it("refuses a hidden size that the heads cannot share evenly", () => {
    expect(() => modelFolderOfInit({ ...init, hiddenSize: 50, numAttentionHeads: 10 })).toThrow(/head dimension of 5/);
  });
});
