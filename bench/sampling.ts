/**
 * Sampling 64 completions, 8 of each of 8 prompts, against Hugging Face generate:
 * `npm run setup && PEER_PYTHON=python3 node --import jiti/register bench/sampling.ts` (REPEATS=3, SIZES=0.4M,10M, THREADS=1,2).
 *
 * Float32 on the CPU, same weights on both sides: here through the engine process, there with eager attention on a left-padded batch
 * that ends with its longest completion. "equal": prompts of 64 and completions of 128 tokens. "ragged": prompts of 16 to 112 tokens,
 * completions log-normal around 80 with sigma 0.6, at most 256. Both sides must continue the prompts greedily with the same tokens
 * before a time counts. Only tokens that were asked for count; CPU time is that of the engine process and of this one.
 * Without a python that has torch and transformers, only our side is printed.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { z } from "zod";
import type { SampleRequest } from "../src/engine/engine.ts";
import type { ModelInit } from "../src/engine/model-folder.ts";
import { type NativeEngine, openNativeEngine } from "../src/engine/native.ts";
import { packageRoot } from "../src/paths.ts";

// Weights drawn wide, so that greedy choices are clear.
const common = {
  family: "qwen2",
  maxPositionEmbeddings: 512,
  tieWordEmbeddings: true,
  initializerRange: 0.06,
} as const;
const heads = { numAttentionHeads: 6, numKeyValueHeads: 2 } as const;
const models: Readonly<Record<string, ModelInit>> = {
  "0.4M": { ...common, ...heads, vocabSize: 128, hiddenSize: 96, intermediateSize: 256, numHiddenLayers: 4 },
  "10M": { ...common, ...heads, vocabSize: 512, hiddenSize: 384, intermediateSize: 1024, numHiddenLayers: 6 },
};
const repeats = Number(process.env["REPEATS"] ?? 3);
const sizes = (process.env["SIZES"] ?? "0.4M,10M").split(",").filter(Boolean);
const threadCounts = (process.env["THREADS"] ?? "1,2").split(",").map(Number);
const peerPython = process.env["PEER_PYTHON"];
const numPrompts = 8;
const groupSize = 8;
const greedyTokens = 16;

interface Timing {
  readonly cpuSeconds: readonly number[];
  readonly seconds: readonly number[];
}

const peerReply = z.object({
  version: z.string(),
  greedy: z.array(z.array(z.int())),
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

function requestsOf(kind: "equal" | "ragged", vocabSize: number): SampleRequest[] {
  const uniform = uniforms(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const lengthOf = () => (kind === "equal" ? 64 : 16 + Math.floor(97 * uniform()));
  const maxTokensOf = () =>
    kind === "equal" ? 128 : Math.min(256, Math.max(8, Math.floor(80 * Math.exp(0.6 * normal()))));
  const prompts = Array.from({ length: numPrompts }, () =>
    Array.from({ length: lengthOf() }, () => Math.floor(uniform() * vocabSize)),
  );
  return prompts.flatMap((promptTokenIds, p) =>
    Array.from({ length: groupSize }, (_, i) => ({
      promptTokenIds,
      seed: p * groupSize + i,
      params: { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: maxTokensOf(), stopTokenIds: [] },
    })),
  );
}

/** CPU seconds of the engine process (10 ms ticks of the kernel) and of this one. */
async function cpuSecondsOf(engine: NativeEngine): Promise<number> {
  const stat = await readFile(`/proc/${engine.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const { user, system } = process.cpuUsage();
  return (Number(fields[11]) + Number(fields[12])) / 100 + (user + system) / 1e6;
}

async function timeOurs(modelDir: string, numThreads: number, requests: readonly SampleRequest[]): Promise<Timing> {
  await using engine = await openNativeEngine({ modelDir, device: "cpu", numThreads });
  await engine.sample(requests);
  const timing = { cpuSeconds: [] as number[], seconds: [] as number[] };
  // A batch is short against the kernel's clock ticks: several of them make one measurement.
  const batches = 5;
  for (let i = 0; i < repeats; i++) {
    const [cpu, wall] = [await cpuSecondsOf(engine), performance.now()];
    for (let batch = 0; batch < batches; batch++) await engine.sample(requests);
    timing.seconds.push((performance.now() - wall) / 1000 / batches);
    timing.cpuSeconds.push(((await cpuSecondsOf(engine)) - cpu) / batches);
  }
  return timing;
}

async function timePeer(modelDir: string, threads: number, requests: readonly SampleRequest[]) {
  const prompts = requests.map(({ promptTokenIds }) => promptTokenIds);
  const maxTokens = requests.map(({ params }) => params.maxTokens);
  const path = join(modelDir, "request.json");
  await writeFile(path, JSON.stringify({ modelDir, threads, repeats, prompts, maxTokens, greedyTokens }));
  const { stdout } = await promisify(execFile)(peerPython!, [join(packageRoot, "bench", "sampling_peer.py"), path], {
    // The thread count is set before torch starts its pool.
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
    maxBuffer: 2 ** 28,
    timeout: 1_800_000,
  });
  return peerReply.parse(JSON.parse(stdout));
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function greedyOf(engine: NativeEngine, requests: readonly SampleRequest[]): Promise<number[][]> {
  const results = await engine.sample(
    requests.map((request) => ({ ...request, params: { ...request.params, temperature: 0, maxTokens: greedyTokens } })),
  );
  return results.map(({ tokenIds }) => [...tokenIds]);
}

async function compare(size: string, kind: "equal" | "ragged"): Promise<void> {
  const init = models[size];
  if (init === undefined) throw new Error(`Expected SIZES among ${Object.keys(models).join(", ")}, got ${size}.`);
  const modelDir = await mkdtemp(join(tmpdir(), "grouper-bench-"));
  try {
    const requests = requestsOf(kind, init.vocabSize);
    const numTokens = requests.reduce((sum, { params }) => sum + params.maxTokens, 0);
    await using engine = await openNativeEngine({ init, seed: 1, device: "cpu" });
    await engine.saveWeights(modelDir);
    const greedy = await greedyOf(engine, requests);
    for (const numThreads of threadCounts) {
      const first = await timeOurs(modelDir, numThreads, requests);
      const peer = peerPython === undefined ? null : await timePeer(modelDir, numThreads, requests);
      const second = await timeOurs(modelDir, numThreads, requests);
      const cpu = median([...first.cpuSeconds, ...second.cpuSeconds]);
      const wall = median([...first.seconds, ...second.seconds]);
      console.log(
        `${size}, ${engine.info.numParameters} parameters, ${kind}, ${numThreads} thread(s), ${numTokens} tokens: ` +
          `${(numTokens / wall).toFixed(0)} tokens/s, ${(numTokens / cpu).toFixed(0)} per CPU-second`,
      );
      if (peer === null) continue;
      if (JSON.stringify(peer.greedy) !== JSON.stringify(greedy)) {
        throw new Error("The two sides disagree: greedy continuations differ; no time counts.");
      }
      const [peerCpu, peerWall] = [median(peer.cpuSeconds), median(peer.seconds)];
      console.log(
        `  ${peer.version}: ${(numTokens / peerWall).toFixed(0)} tokens/s, ${(numTokens / peerCpu).toFixed(0)} per CPU-second; ` +
          `ratio ${(peerWall / wall).toFixed(1)}, per CPU-second ${(peerCpu / cpu).toFixed(1)}`,
      );
    }
  } finally {
    await rm(modelDir, { recursive: true });
  }
}

console.log(`${cpus().length} x ${cpus()[0]!.model}, node ${process.version}`);
for (const size of sizes) {
  for (const kind of ["equal", "ragged"] as const) await compare(size, kind);
}
