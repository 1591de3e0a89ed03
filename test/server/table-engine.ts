/**
 * A small real engine in TypeScript: a bigram model, one row of logits per token, exact gradients, plain gradient descent, seeded
 * sampling. It implements the whole Engine interface, so that servers and loops are tested without libtorch.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AdamParams,
  type Engine,
  EngineError,
  type EngineInfo,
  type ForwardOptions,
  type LossFunction,
  type OptimStepResult,
  type SampleRequest,
  type SampleResult,
  type SamplingParams,
} from "../../src/engine/engine.ts";
import type { Example, Sequence, SequenceLoss, TokenOutputs } from "../../src/types.ts";

export interface TableOptions {
  readonly vocabSize?: number;
  readonly seed?: number;
  readonly maxPositionEmbeddings?: number;
  /** Pause after each sampled token, so that a test can abort in the middle. */
  readonly tokenDelayMs?: number;
}

export class TableEngine implements Engine {
  readonly info: EngineInfo;
  policyVersion = 0;
  /** [V][V] logits of the next token by the token before. */
  logits: Float64Array;
  #reference: Float64Array;
  #gradient: Float64Array;
  #disposed = false;
  /** Sequences being sampled now. */
  running = 0;
  readonly #tokenDelayMs: number;

  constructor({ vocabSize = 16, seed = 1, maxPositionEmbeddings = 256, tokenDelayMs = 0 }: TableOptions = {}) {
    const random = generator(seed);
    this.logits = Float64Array.from({ length: vocabSize * vocabSize }, () => 4 * random() - 2);
    this.#reference = this.logits.slice();
    this.#gradient = new Float64Array(this.logits.length);
    this.#tokenDelayMs = tokenDelayMs;
    this.info = {
      name: "table",
      device: "cpu",
      dtype: "float32",
      model: {
        modelType: "qwen2",
        vocabSize,
        hiddenSize: vocabSize,
        intermediateSize: vocabSize,
        numHiddenLayers: 1,
        numAttentionHeads: 1,
        numKeyValueHeads: 1,
        headDim: vocabSize,
        maxPositionEmbeddings,
        tieWordEmbeddings: false,
      },
      numParameters: this.logits.length,
      numTrainableParameters: this.logits.length,
      notes: ["a bigram table"],
    };
  }

  async forward(sequences: readonly Sequence[], options: ForwardOptions = {}): Promise<TokenOutputs[]> {
    this.#check();
    return sequences.map((sequence) => this.#outputs(sequence, options));
  }

  async forwardBackward(
    examples: readonly Example[],
    loss: LossFunction,
    options: ForwardOptions = {},
  ): Promise<SequenceLoss[]> {
    this.#check();
    const temperature = options.temperature ?? 1;
    return examples.map((example) => {
      const { tokenIds, lossMask } = example.sequence;
      const result = loss(example, this.#outputs(example.sequence, options));
      for (let t = 1; t < tokenIds.length; t++) {
        if (lossMask[t] !== 1) continue;
        const probabilities = this.#probabilities(tokenIds[t - 1]!, temperature, this.logits);
        const row = tokenIds[t - 1]! * this.info.model.vocabSize;
        const d = result.gradient.dLogprobs[t]! / temperature;
        // d H / d logit_v = -p_v (log p_v + H)
        const dEntropy = (result.gradient.dEntropies?.[t] ?? 0) / temperature;
        const entropy = probabilities.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
        probabilities.forEach((p, v) => {
          this.#gradient[row + v]! += d * ((v === tokenIds[t] ? 1 : 0) - p);
          if (p > 0) this.#gradient[row + v]! -= dEntropy * p * (Math.log(p) + entropy);
        });
      }
      return result;
    });
  }

  async optimStep({ learningRate, maxGradNorm }: AdamParams): Promise<OptimStepResult> {
    this.#check();
    const gradNorm = Math.sqrt(this.#gradient.reduce((sum, g) => sum + g * g, 0));
    const skipped = !Number.isFinite(gradNorm);
    if (!skipped) {
      const scale = gradNorm > maxGradNorm ? maxGradNorm / gradNorm : 1;
      this.#gradient.forEach((g, i) => {
        this.logits[i]! -= learningRate * scale * g;
      });
      this.policyVersion++;
    }
    this.#gradient.fill(0);
    return { gradNorm, skipped };
  }

  async sample(requests: readonly SampleRequest[], signal?: AbortSignal): Promise<SampleResult[]> {
    this.#check();
    return Promise.all(requests.map((request) => this.#sampleOne(request, signal)));
  }

  async #sampleOne({ promptTokenIds, seed, params }: SampleRequest, signal?: AbortSignal): Promise<SampleResult> {
    const random = generator(seed);
    const tokenIds: number[] = [];
    const logprobs: number[] = [];
    const policyVersion = this.policyVersion;
    let previous = promptTokenIds.at(-1)!;
    this.running++;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const blocked = tokenIds.length < (params.minTokens ?? 0) ? params.stopTokenIds : [];
        const { id, logprob } = draw(this.distribution(previous, params, blocked), random());
        tokenIds.push(id);
        logprobs.push(logprob);
        previous = id;
        const stop = params.stopTokenIds.includes(id);
        if (stop || tokenIds.length === params.maxTokens) {
          return {
            tokenIds,
            logprobs: Float32Array.from(logprobs),
            finishReason: stop ? "stop" : "length",
            policyVersion,
          };
        }
        if (this.#tokenDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#tokenDelayMs));
      }
    } finally {
      this.running--;
    }
  }

  /** [V] what is sampled from after `previous`: temperature, then top-k, top-p and min-p, renormalised. */
  distribution(previous: number, params: SamplingParams, blocked: readonly number[] = []): number[] {
    const greedy = params.temperature === 0;
    let p = this.#probabilities(previous, greedy ? 1 : params.temperature, this.logits).map((x, v) =>
      blocked.includes(v) ? 0 : x,
    );
    const order = p.map((_, v) => v).sort((a, b) => p[b]! - p[a]!);
    const top = p[order[0]!]!;
    let mass = 0;
    const total = p.reduce((sum, x) => sum + x, 0);
    const kept = new Set(
      order.filter((v, rank) => {
        const inTopP = mass < params.topP * total;
        mass += p[v]!;
        return (
          rank === 0 || (!greedy && inTopP && (params.topK === 0 || rank < params.topK) && p[v]! >= params.minP * top)
        );
      }),
    );
    p = p.map((x, v) => (kept.has(v) ? x : 0));
    const sum = p.reduce((a, b) => a + b, 0);
    return p.map((x) => x / sum);
  }

  async refreshReference(): Promise<void> {
    this.#check();
    this.#reference = this.logits.slice();
  }

  async saveWeights(dir: string): Promise<void> {
    this.#check();
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "table.json"), JSON.stringify([...this.logits]));
  }

  /** Reads what saveWeights wrote. */
  loadWeights(dir: string): void {
    this.logits = Float64Array.from(JSON.parse(readFileSync(join(dir, "table.json"), "utf8")));
  }

  async saveState(dir: string): Promise<void> {
    await this.saveWeights(dir);
    writeFileSync(
      join(dir, "state.json"),
      JSON.stringify({ version: this.policyVersion, reference: [...this.#reference] }),
    );
  }

  async loadState(dir: string): Promise<void> {
    this.#check();
    this.loadWeights(dir);
    const state = JSON.parse(readFileSync(join(dir, "state.json"), "utf8"));
    this.policyVersion = state.version;
    this.#reference = Float64Array.from(state.reference);
  }

  async weightsHash(): Promise<string> {
    this.#check();
    return createHash("sha256").update(new Uint8Array(this.logits.buffer)).digest("hex");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
  }

  #check(): void {
    if (this.#disposed) throw new EngineError("disposed", "engine is disposed");
  }

  #probabilities(previous: number, temperature: number, logits: Float64Array): number[] {
    const V = this.info.model.vocabSize;
    const row = Array.from(logits.subarray(previous * V, (previous + 1) * V), (x) => x / temperature);
    const max = Math.max(...row);
    const exps = row.map((x) => Math.exp(x - max));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((x) => x / sum);
  }

  #outputs({ tokenIds, lossMask }: Sequence, options: ForwardOptions): TokenOutputs {
    const logits = options.weights === "reference" ? this.#reference : this.logits;
    const logprobs = new Float32Array(tokenIds.length);
    const entropies = new Float32Array(tokenIds.length);
    for (let t = 1; t < tokenIds.length; t++) {
      if (lossMask[t] !== 1) continue;
      const p = this.#probabilities(tokenIds[t - 1]!, options.temperature ?? 1, logits);
      logprobs[t] = Math.log(p[tokenIds[t]!]!);
      entropies[t] = -p.reduce((sum, x) => sum + x * Math.log(x), 0);
    }
    return options.entropies === true ? { logprobs, entropies } : { logprobs };
  }
}

function draw(probabilities: readonly number[], u: number): { id: number; logprob: number } {
  let rest = u;
  let id = probabilities.findIndex((p) => {
    rest -= p;
    return p > 0 && rest < 0;
  });
  // rounding can leave a crumb of u above the last token
  if (id < 0) id = probabilities.findLastIndex((p) => p > 0);
  return { id, logprob: Math.log(probabilities[id]!) };
}

/** splitmix32: a seeded stream of numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}
