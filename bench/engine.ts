/**
 * Training on ragged batches against Hugging Face transformers, and the memory of the head:
 * `npm run setup && PEER_PYTHON=python3 node --import jiti/register bench/engine.ts` (REPEATS=3, SIZES=0.4M,10M, THREADS=1,2).
 *
 * One step = forward, backward, clip, AdamW on 64 sequences of log-normal lengths, float32 on the CPU, same weights on both sides:
 * here through the engine process with packed sequences, there with eager attention on a padded batch. Both sides must agree on
 * the log-probabilities to 1e-5 in the mean before a time counts. CPU time is that of the engine process and of this one;
 * only tokens that are not padding count. Without a python that has torch and transformers, only our side is printed.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { z } from "zod";
import type { ModelInit } from "../src/engine/model-folder.ts";
import { type NativeEngine, openNativeEngine } from "../src/engine/native.ts";
import { packageRoot } from "../src/paths.ts";
import type { Example, SequenceLoss, TokenOutputs } from "../src/types.ts";

const common = { family: "qwen2", maxPositionEmbeddings: 1024, tieWordEmbeddings: true } as const;
const heads = { numAttentionHeads: 6, numKeyValueHeads: 2 } as const;
const models: Readonly<Record<string, ModelInit>> = {
  "0.4M": { ...common, ...heads, vocabSize: 128, hiddenSize: 96, intermediateSize: 256, numHiddenLayers: 4 },
  "10M": { ...common, ...heads, vocabSize: 512, hiddenSize: 384, intermediateSize: 1024, numHiddenLayers: 6 },
};
const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
const repeats = Number(process.env["REPEATS"] ?? 3);
const sizes = (process.env["SIZES"] ?? "0.4M,10M").split(",").filter(Boolean);
const threadCounts = (process.env["THREADS"] ?? "1,2").split(",").map(Number);
const peerPython = process.env["PEER_PYTHON"];

interface Timing {
  readonly cpuSeconds: readonly number[];
  readonly seconds: readonly number[];
}

const peerReply = z.object({
  version: z.string(),
  logprobs: z.array(z.number()),
  cpuSeconds: z.array(z.number()),
  seconds: z.array(z.number()),
});

/** A seeded stream of uniform numbers: mulberry32. */
function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function exampleOf(tokenIds: Int32Array, firstTrained: number): Example {
  const zeros = () => new Float32Array(tokenIds.length);
  const lossMask = Uint8Array.from(tokenIds, (_, t) => (t >= firstTrained ? 1 : 0));
  const sequence = { tokenIds, lossMask, samplingLogprobs: zeros() };
  return { sequence, group: 0, reward: 0, advantages: zeros(), weights: zeros(), old: { logprobs: zeros() } };
}

/** 64 sequences; lengths log-normal around 96 with sigma 0.7, from 8 to 512; the first quarter is prompt. */
function raggedExamples(vocabSize: number): Example[] {
  const uniform = uniforms(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: 64 }, () => {
    const length = Math.min(512, Math.max(8, Math.floor(96 * Math.exp(0.7 * normal()))));
    const tokenIds = Int32Array.from({ length }, () => Math.floor(uniform() * vocabSize));
    return exampleOf(tokenIds, Math.max(1, Math.floor(length / 4)));
  });
}

const countTrained = (examples: readonly Example[]) =>
  examples.reduce((sum, { sequence }) => sum + sequence.lossMask.reduce((a, b) => a + b, 0), 0);
const countTokens = (examples: readonly Example[]) =>
  examples.reduce((sum, { sequence }) => sum + sequence.tokenIds.length, 0);

function meanLikelihood(numTrained: number) {
  return ({ sequence }: Example, { logprobs }: TokenOutputs): SequenceLoss => ({
    loss: -Float64Array.from(logprobs).reduce((sum, logprob) => sum + logprob, 0) / numTrained,
    gradient: { dLogprobs: Float32Array.from(sequence.lossMask, (trained) => -trained / numTrained) },
    metrics: {},
  });
}

/** CPU seconds of the engine process (10 ms ticks of the kernel) and of this one. */
async function cpuSecondsOf(engine: NativeEngine): Promise<number> {
  const stat = await readFile(`/proc/${engine.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const { user, system } = process.cpuUsage();
  return (Number(fields[11]) + Number(fields[12])) / 100 + (user + system) / 1e6;
}

async function timeOurs(modelDir: string, numThreads: number, examples: readonly Example[]): Promise<Timing> {
  await using engine = await openNativeEngine({ modelDir, device: "cpu", numThreads });
  const loss = meanLikelihood(countTrained(examples));
  const step = async () => {
    await engine.forwardBackward(examples, loss);
    await engine.optimStep(adam);
  };
  await step();
  const timing = { cpuSeconds: [] as number[], seconds: [] as number[] };
  for (let i = 0; i < repeats; i++) {
    const [cpu, wall] = [await cpuSecondsOf(engine), performance.now()];
    await step();
    timing.seconds.push((performance.now() - wall) / 1000);
    timing.cpuSeconds.push((await cpuSecondsOf(engine)) - cpu);
  }
  return timing;
}

async function timePeer(modelDir: string, threads: number, examples: readonly Example[]) {
  const sequences = examples.map(({ sequence }) => ({
    tokenIds: [...sequence.tokenIds],
    lossMask: [...sequence.lossMask],
  }));
  const request = join(modelDir, "request.json");
  await writeFile(request, JSON.stringify({ modelDir, threads, repeats, sequences }));
  const { stdout } = await promisify(execFile)(
    peerPython!,
    [join(packageRoot, "bench", "engine_peer.py"), request],
    // The thread count is set before torch starts its pool; a step may take a minute.
    { env: { ...process.env, OMP_NUM_THREADS: String(threads) }, maxBuffer: 2 ** 28, timeout: 1_800_000 },
  );
  return peerReply.parse(JSON.parse(stdout));
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function compare(size: string): Promise<void> {
  const init = models[size];
  if (init === undefined) throw new Error(`Expected SIZES among ${Object.keys(models).join(", ")}, got ${size}.`);
  const modelDir = await mkdtemp(join(tmpdir(), "grouper-bench-"));
  try {
    const examples = raggedExamples(init.vocabSize);
    const numTokens = countTokens(examples);
    const sequences = examples.map((example) => example.sequence);
    await using engine = await openNativeEngine({ init, seed: 1, device: "cpu" });
    await engine.saveWeights(modelDir);
    const outputs = await engine.forward(sequences);
    const logprobs = outputs.flatMap(({ logprobs: all }, s) => [...all].filter((_, t) => sequences[s]!.lossMask[t]));
    for (const numThreads of threadCounts) {
      const first = await timeOurs(modelDir, numThreads, examples);
      const peer = peerPython === undefined ? null : await timePeer(modelDir, numThreads, examples);
      const second = await timeOurs(modelDir, numThreads, examples);
      const ours = median([...first.cpuSeconds, ...second.cpuSeconds]);
      const wall = median([...first.seconds, ...second.seconds]);
      const head = `${size}, ${engine.info.numParameters} parameters, ${numThreads} thread(s), ${numTokens} tokens`;
      console.log(
        `${head}: ${(numTokens / ours).toFixed(0)} tokens per CPU-second, ${(wall * 1000).toFixed(0)} ms a step`,
      );
      if (peer === null) continue;
      const difference =
        logprobs.reduce((sum, value, i) => sum + Math.abs(value - peer.logprobs[i]!), 0) / logprobs.length;
      if (peer.logprobs.length !== logprobs.length || !(difference < 1e-5)) {
        throw new Error(`The two sides disagree: mean |difference| of log-probs is ${difference}; no time counts.`);
      }
      const theirs = median(peer.cpuSeconds);
      console.log(
        `  ${peer.version}: ${(numTokens / theirs).toFixed(0)} tokens per CPU-second, ${(median(peer.seconds) * 1000).toFixed(0)} ms; ` +
          `ratio per CPU-second ${(theirs / ours).toFixed(2)}; mean |log-prob difference| ${difference.toExponential(1)}`,
      );
    }
  } finally {
    await rm(modelDir, { recursive: true });
  }
}

async function residentMiB(engine: NativeEngine, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${engine.pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
}

/** Peak growth of the engine process over a step on 32,768 tokens with Qwen's vocabulary and a body so small that the head is all. */
async function measureHead(): Promise<void> {
  const shape = { hiddenSize: 64, intermediateSize: 64, numHiddenLayers: 1, numAttentionHeads: 2, numKeyValueHeads: 1 };
  const init: ModelInit = { ...common, ...shape, vocabSize: 151_936, maxPositionEmbeddings: 4096 };
  await using engine = await openNativeEngine({ init, device: "cpu", maxTokensPerMicroBatch: 32_768 });
  const examples = Array.from({ length: 16 }, (_, s) =>
    exampleOf(
      Int32Array.from({ length: 2048 }, (_, t) => (s * 2048 + t * 37) % init.vocabSize),
      1,
    ),
  );
  const before = await residentMiB(engine, "VmRSS");
  await engine.forwardBackward(examples, meanLikelihood(countTrained(examples)), { entropies: true });
  const growth = (await residentMiB(engine, "VmHWM")) - before;
  const gradient = (init.vocabSize * init.hiddenSize * 4) / 2 ** 20;
  console.log(
    `head, 32,768 tokens, vocabulary 151,936: the process grew by ${growth.toFixed(0)} MiB at its peak, ` +
      `${gradient.toFixed(0)} MiB of it the embedding's gradient; full logits would take ${((32_768 * 151_936 * 4) / 2 ** 20).toFixed(0)} MiB`,
  );
}

console.log(`${cpus().length} x ${cpus()[0]!.model}, node ${process.version}`);
for (const size of sizes) await compare(size);
await measureHead();
