/** The keys that say what is trained, on which device, and who samples from it: `model`, `engine`, `server`. */
import { z } from "zod";

const positive = () => z.number().positive();
const count = () => z.int().positive();
const whole = () => z.int().nonnegative();

const lora = z
  .strictObject({
    rank: count().describe("Rank of the adapter."),
    alpha: positive().default(32).describe("Scale: the adapter's product is multiplied by alpha / rank."),
    targets: z
      .array(z.enum(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
      .min(1)
      .default(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
      .describe("Linear layers that get an adapter."),
  })
  .describe("Train a low-rank adapter instead of all weights.");

const modelInit = z
  .strictObject({
    family: z.enum(["qwen2", "qwen3", "llama"]).default("qwen2"),
    hiddenSize: count(),
    intermediateSize: count(),
    numHiddenLayers: count(),
    numAttentionHeads: count(),
    numKeyValueHeads: count().optional().describe("Default: numAttentionHeads."),
    headDim: count().optional().describe("Default: hiddenSize / numAttentionHeads."),
    maxPositionEmbeddings: count().default(256),
    ropeTheta: positive().default(10_000),
    tieWordEmbeddings: z.boolean().default(true),
    initializerRange: positive().default(0.02).describe("Standard deviation of the random matrices."),
  })
  .describe("A model that starts from random weights.");

const tokenizer = z
  .union([
    z.string().min(1).describe("Folder with tokenizer.json."),
    z
      .strictObject({
        characters: z.string().min(1).describe("One token for each of these characters."),
        specialTokens: z
          .array(z.string().min(1))
          .default([])
          .describe("Strings that are one token each, e.g. <think>."),
      })
      .describe("A character tokenizer, for tiny models."),
  ])
  .describe("Default: the model's own folder.");

export const model = z
  .strictObject({
    path: z.string().min(1).optional().describe("Hugging Face folder: config.json, safetensors, tokenizer.json."),
    init: modelInit.optional(),
    tokenizer: tokenizer.optional(),
    lora: lora.optional(),
  })
  .describe("The policy: either `path` or `init`.");

export const device = z.string().regex(/^(auto|cpu|cuda(:\d+)?)$/, "expected auto, cpu, cuda or cuda:N");

export const engine = z
  .strictObject({
    type: z.enum(["native"]).default("native"),
    device: device.default("auto"),
    maxTokensPerMicroBatch: count().default(16_384).describe("Token budget of one packed forward and backward pass."),
    activationCheckpointing: z.boolean().default(false).describe("Recompute activations in the backward pass."),
    bf16Moments: z.boolean().default(false).describe("Keep Adam's moments in bfloat16."),
    numThreads: whole().default(0).describe("CPU threads; 0 = as many as libtorch chooses."),
    maxBatch: count().default(256).describe("Sequences that the embedded server decodes together."),
    maxCacheTokens: count().default(262_144).describe("Key-value cache of the embedded server, in tokens."),
    callTimeoutSeconds: positive().default(3600).describe("Deadline of one engine call."),
  })
  .describe("The tensor engine that trains (and, with the embedded server, samples).");

export const server = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("embedded"),
      host: z.string().default("127.0.0.1"),
      port: whole().default(0).describe("0 = any free port."),
      maxConcurrency: count().default(256).describe("Requests in flight."),
    }),
    z.strictObject({
      type: z.literal("vllm"),
      url: z.url().describe("OpenAI base URL, e.g. http://10.0.0.2:8000/v1."),
      model: z.string().optional().describe("Served model name; default: the only one that the server lists."),
      apiKeyEnv: z.string().optional().describe("Environment variable that holds the API key."),
      maxConcurrency: count()
        .default(256)
        .describe("Requests in flight; about 2 to 4 times the server's max_num_seqs."),
      publish: z
        .strictObject({
          method: z
            .enum(["disk", "lora"])
            .describe("disk: collective_rpc reload_weights (needs VLLM_SERVER_DEV_MODE=1). lora: runtime adapters."),
          dir: z.string().describe("Folder that trainer and server both see under this path."),
          canaryTolerance: positive()
            .default(0.05)
            .describe("Largest mean |difference| of log-probabilities that counts as delivered, in nats."),
        })
        .describe("How new weights reach the server."),
      startTimeoutSeconds: positive().default(600),
      requestTimeoutSeconds: positive().optional().describe("Default: 60 s plus 0.1 s for each token of maxTokens."),
    }),
  ])
  .describe("The policy server that samples.");

export type ModelSpec = z.output<typeof model>;
export type ModelInit = z.output<typeof modelInit>;
export type LoraSpec = z.output<typeof lora>;
export type ServerSpec = z.output<typeof server>;
