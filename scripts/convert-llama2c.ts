/**
 * Turns a llama2.c checkpoint (version 0, float32) and its tokenizer into a Hugging Face folder:
 * `node --import jiti/register scripts/convert-llama2c.ts MODEL.bin TOKENIZER.bin OUT_DIR`.
 *
 * MODEL.bin: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a negative vocab_size says that the
 * head is not tied), then float32 tensors, each kind for all layers together. TOKENIZER.bin: int32 longest piece, then for every
 * token a float32 score, an int32 length and the bytes of the piece.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface Header {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly vocabSize: number;
  readonly sequenceLength: number;
  readonly tied: boolean;
}

const headerBytes = 7 * 4;

export async function convertLlama2c(modelPath: string, tokenizerPath: string, outDir: string): Promise<void> {
  const model = await readFile(modelPath);
  const header = readHeader(model);
  await mkdir(outDir, { recursive: true });
  await writeFile(join(outDir, "model.safetensors"), safetensors(readTensors(model, header)));
  await writeFile(join(outDir, "config.json"), json(configOf(header)));
  await writeFile(join(outDir, "tokenizer.json"), json(tokenizerOf(readPieces(await readFile(tokenizerPath), header))));
  await writeFile(join(outDir, "tokenizer_config.json"), json(tokenizerConfig));
}

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

function readHeader(bytes: Buffer): Header {
  if (bytes.length < headerBytes) throw new Error(`Expected a llama2.c checkpoint, got ${bytes.length} bytes.`);
  const field = (i: number) => bytes.readInt32LE(4 * i);
  return {
    dim: field(0),
    hiddenDim: field(1),
    numLayers: field(2),
    numHeads: field(3),
    numKvHeads: field(4),
    vocabSize: Math.abs(field(5)),
    sequenceLength: field(6),
    tied: field(5) > 0,
  };
}

/** In model order, under Hugging Face's names. */
function readTensors(bytes: Buffer, header: Header): NamedTensor[] {
  const { dim, hiddenDim, numLayers, numHeads, numKvHeads, vocabSize, sequenceLength } = header;
  const headDim = dim / numHeads;
  let at = headerBytes;
  const take = (count: number): Float32Array => {
    const end = at + 4 * count;
    if (end > bytes.length)
      throw new Error(`Expected at least ${end} bytes of checkpoint, got ${bytes.length}: it is truncated.`);
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + end));
    at = end;
    return data;
  };
  const takeLayers = (...shape: number[]) =>
    Array.from({ length: numLayers }, () => ({ shape, data: take(shape.reduce((a, b) => a * b)) }));

  const embedding = take(vocabSize * dim);
  const attentionNorm = takeLayers(dim);
  const queries = takeLayers(dim, dim);
  const keys = takeLayers(numKvHeads * headDim, dim);
  const values = takeLayers(numKvHeads * headDim, dim);
  const outputs = takeLayers(dim, dim);
  const feedForwardNorm = takeLayers(dim);
  const gates = takeLayers(hiddenDim, dim);
  const downs = takeLayers(dim, hiddenDim);
  const ups = takeLayers(hiddenDim, dim);
  const norm = take(dim);
  // Tables of rotary frequencies, which every reader computes for itself.
  take(sequenceLength * headDim);
  const head = header.tied ? null : take(vocabSize * dim);
  if (at !== bytes.length) throw new Error(`Expected ${at} bytes of checkpoint, got ${bytes.length}.`);

  const tensors: NamedTensor[] = [{ name: "model.embed_tokens.weight", shape: [vocabSize, dim], data: embedding }];
  for (let layer = 0; layer < numLayers; layer++) {
    const add = (name: string, { shape, data }: { shape: readonly number[]; data: Float32Array }) =>
      tensors.push({ name: `model.layers.${layer}.${name}.weight`, shape, data });
    add("input_layernorm", attentionNorm[layer]!);
    add("self_attn.q_proj", halvesFromPairs(queries[layer]!, headDim));
    add("self_attn.k_proj", halvesFromPairs(keys[layer]!, headDim));
    add("self_attn.v_proj", values[layer]!);
    add("self_attn.o_proj", outputs[layer]!);
    add("post_attention_layernorm", feedForwardNorm[layer]!);
    add("mlp.gate_proj", gates[layer]!);
    add("mlp.up_proj", ups[layer]!);
    add("mlp.down_proj", downs[layer]!);
  }
  tensors.push({ name: "model.norm.weight", shape: [dim], data: norm });
  if (head !== null) tensors.push({ name: "lm_head.weight", shape: [vocabSize, dim], data: head });
  return tensors;
}

/**
 * llama2.c rotates the pairs (2i, 2i + 1) of a head, Hugging Face the pairs (i, i + headDim / 2): rows move so that each pair keeps
 * its frequency. Queries and keys move alike, so their products stay.
 */
function halvesFromPairs({ shape, data }: { shape: readonly number[]; data: Float32Array }, headDim: number) {
  const [numRows = 0, width = 0] = shape;
  const moved = new Float32Array(data.length);
  for (let row = 0; row < numRows; row++) {
    const inHead = row % headDim;
    const from = row - inHead + (inHead < headDim / 2 ? 2 * inHead : 2 * inHead - headDim + 1);
    moved.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return { shape, data: moved };
}

function safetensors(tensors: readonly NamedTensor[]): Buffer {
  let offset = 0;
  const entries = tensors.map(({ name, shape, data }) => {
    const start = offset;
    offset += data.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [start, offset] }];
  });
  const header = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const parts = tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return Buffer.concat([length, padded, ...parts]);
}

function configOf(header: Header) {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: header.vocabSize,
    hidden_size: header.dim,
    intermediate_size: header.hiddenDim,
    num_hidden_layers: header.numLayers,
    num_attention_heads: header.numHeads,
    num_key_value_heads: header.numKvHeads,
    max_position_embeddings: header.sequenceLength,
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: header.tied,
    bos_token_id: 1,
    // llama2.c's programs end a text at BOS, with which its training data separate documents.
    eos_token_id: [1, 2],
    torch_dtype: "float32",
  };
}

interface Piece {
  readonly text: string;
  readonly score: number;
}

function readPieces(bytes: Buffer, { vocabSize }: Header): Piece[] {
  let at = 4;
  return Array.from({ length: vocabSize }, (_, id) => {
    const length = bytes.readInt32LE(at + 4);
    const piece = bytes.subarray(at + 8, at + 8 + length);
    const text = id < special.length ? special[id]! : piece.toString("utf8").replaceAll(" ", metaspace);
    const score = bytes.readFloatLE(at);
    at += 8 + length;
    return { text, score };
  });
}

const special = ["<unk>", "<s>", "</s>"];
const metaspace = "\u2581";
const tokenizerConfig = {
  tokenizer_class: "LlamaTokenizerFast",
  bos_token: "<s>",
  eos_token: "</s>",
  unk_token: "<unk>",
};

/** SentencePiece BPE as tokenizer.json: a merge for every way to make a piece of two others, best score first. */
function tokenizerOf(pieces: readonly Piece[]) {
  const vocab = new Map(pieces.map(({ text }, id) => [text, id]));
  const byScore = pieces
    .map(({ text, score }, id) => ({ text, score, id }))
    .sort((a, b) => b.score - a.score || a.id - b.id);
  const merges = byScore.flatMap(({ text, id }) => {
    if (id < special.length || /^<0x[0-9A-F]{2}>$/.test(text)) return [];
    const characters = [...text];
    return characters.slice(1).flatMap((_, i) => {
      const [left, right] = [characters.slice(0, i + 1).join(""), characters.slice(i + 1).join("")];
      return vocab.has(left) && vocab.has(right) ? [[left, right]] : [];
    });
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: metaspace },
        { type: "Replace", pattern: { String: " " }, content: metaspace },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: metaspace }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [modelPath, tokenizerPath, outDir] = process.argv.slice(2);
  if (modelPath === undefined || tokenizerPath === undefined || outDir === undefined) {
    console.error("Usage: node --import jiti/register scripts/convert-llama2c.ts MODEL.bin TOKENIZER.bin OUT_DIR");
    process.exitCode = 2;
  } else {
    await convertLlama2c(modelPath, tokenizerPath, outDir);
  }
}
